"""A bulk job in words: question, what it does, how far it is; the same on screen and command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, assert_never

from refresher.rules.bulk import MAKE_DUE, Deed, LeftOut, why_left_out
from refresher.rules.bulk_plan import MOST, OrderFault, Plan, Selection
from refresher.rules.words import many, span

VERBS: Mapping[Deed, tuple[str, str]] = {
    Deed.REFRESH: ("Refresh", "refreshed"),
    Deed.RESUME: ("Resume", "resumed"),
    Deed.ENABLE: ("Enable", "enabled"),
    Deed.PAUSE: ("Pause", "paused"),
    Deed.DISABLE: ("Disable", "disabled"),
    Deed.DELETE: ("Delete", "deleted"),
}
_TRIED_AGAIN = (
    "A grant that is really dead is parked again by the provider's answer; its owner, who was told "
    "already, is not told again."
)
_KEEP_TOKENS = (
    "They keep their tokens, and a token that ends meanwhile is dead until then. A refresh under way "
    "ends normally."
)
_DOES: Mapping[Deed, tuple[str, str]] = {
    Deed.REFRESH: (
        "Each is refreshed now, before its time.",
        "One whose refresh fails is tried again, like any other.",
    ),
    Deed.RESUME: (
        "Each is tried once more, with the tokens it has.",
        _TRIED_AGAIN,
    ),
    Deed.ENABLE: (
        "Each is switched on again, and refreshed at once.",
        "One that is paused as well stays paused.",
    ),
    Deed.PAUSE: (
        "None of them is refreshed until it is resumed.",
        _KEEP_TOKENS,
    ),
    Deed.DISABLE: (
        "None of them is refreshed until it is enabled or resumed.",
        _KEEP_TOKENS,
    ),
    Deed.DELETE: (
        "None of them is refreshed any more, and no token of theirs is handed out.",
        "Registering one again brings it back. The grants at the providers are not ended.",
    ),
}
Tone = Literal["plain", "warn", "bad"]
TONES: Mapping[Deed, Tone] = {
    Deed.REFRESH: "plain",
    Deed.RESUME: "warn",
    Deed.ENABLE: "plain",
    Deed.PAUSE: "warn",
    Deed.DISABLE: "warn",
    Deed.DELETE: "bad",
}


class JobState(StrEnum):
    """How far a job is; `gathering` until it is written down which connections it is about."""

    GATHERING = "gathering"
    WORKING = "working"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: `total` of its connections are known, of which so many are dealt with."""

    deed: Deed
    state: JobState
    total: int
    done: int
    skipped: int
    failed: int
    why: str | None = None

    @property
    def left(self) -> int:
        """How many are not dealt with yet."""
        return max(0, self.total - self.done - self.skipped - self.failed)


def connections(number: int) -> str:
    """Returns so many connections: `1 connection`, `10,000 connections`."""
    return many(number, "connection")


def title(deed: Deed, number: int | None) -> str:
    """Returns the deed with its number, as a button says it: `Resume 38 connections`."""
    return f"{VERBS[deed][0]} {_counted(number)}"


def question(deed: Deed, number: int | None) -> str:
    """Returns the question of the preview."""
    return f"{title(deed, number)}?"


def headline(deed: Deed, number: int | None) -> str:
    """Returns the answer in one sentence, of the preview."""
    if number == 0:
        return f"Nothing is {VERBS[deed][1]}: no connection is left that this fits."
    return _DOES[deed][0]


def consequence(deed: Deed, spread: float) -> str:
    """Returns what else follows; `spread` seconds are what a deed that makes rows due takes."""
    told = _DOES[deed][1]
    if deed in MAKE_DUE and spread >= 1:
        told += f" It is spread over about {span(spread)}, so that no provider gets more than its "
        told += "share."
    return told


def left_out_in_words(deed: Deed, numbers: Mapping[LeftOut, int]) -> list[str]:
    """Returns who is left out and why, the most first: `2, they share the grant of another`."""
    ordered = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0].value))
    return [f"{count:,}, {why_left_out(deed, reason, count)}" for reason, count in ordered]


def filters(selection: Selection, labels: Mapping[str, str]) -> list[str]:
    """Returns the conditions as people read them; `labels` names words of health."""
    if selection.ids:
        return [f"{connections(len(selection.ids))} chosen"]
    health = labels.get(selection.health or "", selection.health or "any")
    given = {
        "Health": health.lower(),
        "Organization": selection.organization_id or "any",
        "Provider": selection.provider or "any",
        **({"App": selection.app} if selection.app else {}),
    }
    return [f"{name}: {value}" for name, value in given.items()]


def too_many(deed: Deed, selection: Selection) -> str:
    """Returns why so many are not done from here, and what does them."""
    return (
        f"more than {MOST:,} connections match: `{selection.command(deed)}` does them, or narrow the "
        "filters"
    )


def refusal(fault: OrderFault, plan: Plan) -> str:
    """Returns why a yes does not count, in one sentence."""
    match fault:
        case OrderFault.NOBODY:
            return f"nothing is {VERBS[plan.deed][1]}: no connection is left that this fits"
        case OrderFault.TOO_MANY:
            return too_many(plan.deed, plan.selection)
        case OrderFault.NOT_TYPED if plan.number is None:
            return f"more than {MOST:,} connections match: give the number that it may be at most"
        case OrderFault.NOT_TYPED:
            return f"the number is missing: it is {plan.number}"
        case OrderFault.WRONG_NUMBER if plan.number is None:
            return f"the number must be above {MOST:,}, for more than that match"
        case OrderFault.WRONG_NUMBER:
            return f"the number is another one: it is {plan.number} now"
        case _:
            assert_never(fault)


def sentence(job: Progress) -> str:
    """Returns how far a job is, in one sentence."""
    did = VERBS[job.deed][1]
    match job.state:
        case JobState.GATHERING:
            return f"Looking which connections are to be {did}."
        case JobState.WORKING:
            dealt = job.total - job.left
            return f"{dealt:,} of {connections(job.total)} dealt with; {_did(job)}."
        case JobState.DONE:
            return f"Done: {_did(job)}."
        case JobState.STOPPED:
            left = f", {job.left:,} left as they were" if job.left else ""
            because = f": {job.why}" if job.why else ""
            return f"Stopped{because}. {_did(job).capitalize()}{left}."
        case _:
            assert_never(job.state)


def under_way(number: int) -> str:
    """Returns how many jobs are under way, in a sentence."""
    if number == 0:
        return "No bulk job is under way."
    return "One bulk job is under way." if number == 1 else f"{number:,} bulk jobs are under way."


def tone(job: Progress) -> Literal["good", "warn", "plain"]:
    """Returns the colour of how far it is."""
    if job.state is JobState.DONE:
        return "warn" if job.failed else "good"
    return "warn" if job.state is JobState.STOPPED else "plain"


def _did(job: Progress) -> str:
    told = f"{job.done:,} {VERBS[job.deed][1]}"
    told += f", {job.skipped:,} left out" if job.skipped else ""
    return told + (f", {job.failed:,} failed" if job.failed else "")


def _counted(number: int | None) -> str:
    return f"more than {MOST:,} connections" if number is None else connections(number)
