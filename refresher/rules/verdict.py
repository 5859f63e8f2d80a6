"""Says in one sentence how the whole deployment stands, and in a second one what comes next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from refresher.rules.needs import Need, NeedKind
from refresher.rules.words import amount, capital, span


@dataclass(frozen=True, slots=True)
class Next:
    """The living token that ends first, where its refresh is due, and at which provider it is."""

    title: str
    ends_at: datetime
    is_due_before: bool


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """The work at the instant `now`: tokens that have `ended` and nobody refreshes at this moment.

    `late` refreshes were due more than 30 s ago, the first by `late_seconds`; `running` are the roles
    that have a process.
    """

    now: datetime
    connections: int
    ended: int = 0
    late: int = 0
    late_seconds: float = 0.0
    next: Next | None = None
    running: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer in a sentence, and what more there is to say of it."""

    tone: Literal["good", "warn", "bad", "still"]
    sentence: str
    more: str


def verdict(work: WorkFacts, needs: Sequence[Need]) -> Verdict:
    """Returns the sentence of the whole. What is refreshed this very moment is no alarm."""
    if not work.connections and not needs:
        return Verdict("still", "No connection is stored yet.", _waits_for_the_first(work))
    things = _things(len(needs))
    missing = [need for need in needs if need.kind is NeedKind.PROCESS_MISSING]
    if missing:
        return Verdict("bad", f"Nothing is refreshed: {_no(missing[0])}.{things}", _more(work))
    if work.ended:
        ended = amount(work.ended, "token has ended", "tokens have ended")
        still = "is not refreshed yet" if work.ended == 1 else "are not refreshed yet"
        return Verdict("bad", f"{capital(ended)} and {still}.{things}", _more(work))
    if work.late:
        late = amount(work.late, "refresh is late", "refreshes are late")
        return Verdict("warn", f"No token has ended, but {late}.{things}", _more(work))
    if needs:
        return Verdict("warn", f"Every token is fresh.{things}", _more(work))
    return Verdict("good", "Every token is fresh, and nothing needs a person.", _more(work))


def _things(number: int) -> str:
    if not number:
        return ""
    return f" {number} {'thing needs' if number == 1 else 'things need'} a person."


def _no(need: Need) -> str:
    return f"{need.title[:1].lower()}{need.title[1:]}"


def _more(work: WorkFacts) -> str:
    return f"{_late(work)}{_next(work)}"


def _late(work: WorkFacts) -> str:
    if not work.late:
        return "Nothing is late."
    late = amount(work.late, "refresh is late", "refreshes are late")
    return f"{capital(late)}, the first by {span(work.late_seconds)}."


def _next(work: WorkFacts) -> str:
    if work.next is None:
        return ""
    left = span(max(0.0, (work.next.ends_at - work.now).total_seconds()))
    if work.next.is_due_before:
        return f" The first access token would end in {left}; its refresh is due before that."
    return f" The first that could end is one at {work.next.title}, in {left}."


def _waits_for_the_first(work: WorkFacts) -> str:
    tells = "As soon as it is there, this page tells whether its token is fresh."
    roles = [role for role in ("scheduler", "worker") if role in work.running]
    if not roles:
        return f"Nothing runs that would refresh it: start python -m refresher.scheduler. {tells}"
    are = "is running and waits" if len(roles) == 1 else "are running and wait"
    return f"A {' and a '.join(roles)} {are} for the first one. {tells}"
