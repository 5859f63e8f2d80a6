"""How a provider stands, in a word and in sentences: is it them, or us? Pure.

Red is only what a person mends. A provider that is left alone, or that asked us to wait, goes on by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, assert_never

from refresher.rules.faults import Sort
from refresher.rules.needs import Words
from refresher.rules.words import amount, capital, many, span

Tone = Literal["good", "warn", "bad", "still"]
MANY_ANSWERS = 5.0
MOST_FAIL = 0.5
"""From which share of answers without a token on it is said of a provider."""
AMBER_SHARE, RED_SHARE = 0.02, 0.05
"""From which share on the number is amber, and red."""


class ProviderState(StrEnum):
    """How a provider stands; in this order, the first that holds."""

    NO_ENTRY = "no_entry"
    REFUSED = "refused"
    UNREAD = "unread"
    LEFT_ALONE = "left_alone"
    WAITING = "waiting"
    FAILING = "failing"
    ANSWERS = "answers"
    QUIET = "quiet"
    NOT_HELD = "not_held"
    """Nothing holds it up; what it answers is not known to whoever looks."""


LOOKS: dict[ProviderState, tuple[str, Tone, str]] = {
    ProviderState.NO_ENTRY: ("no entry", "bad", "octagon"),
    ProviderState.REFUSED: ("app refused", "bad", "octagon"),
    ProviderState.UNREAD: ("unread answers", "bad", "octagon"),
    ProviderState.LEFT_ALONE: ("left alone", "warn", "minus"),
    ProviderState.WAITING: ("asked us to wait", "still", "hourglass"),
    ProviderState.FAILING: ("mostly fails", "warn", "triangle"),
    ProviderState.ANSWERS: ("answers", "good", "tick"),
    ProviderState.QUIET: ("quiet", "still", "ring"),
    ProviderState.NOT_HELD: ("not held up", "good", "tick"),
}
"""What each is called, its colour, and its shape."""
UNREAD = (
    "They are kept, sealed; the tokens in them may be the only ones that are left. Tell the providers "
    "file where its tokens stand, and read them again."
)
OF_SORT = {
    Sort.REFUSED: ProviderState.REFUSED,
    Sort.SILENT: ProviderState.LEFT_ALONE,
    Sort.LIMITED: ProviderState.WAITING,
}


@dataclass(frozen=True, slots=True)
class Hold:
    """A pause, and who waits for its end: 10,001 are more than 10,000.

    `ended` of their tokens have ended, of the living ones the first ends at `first_ends_at`; None: that
    was not looked up. `host` and `organization_id` are None where it holds whoever they are of.
    """

    sort: Sort
    reason: str
    since: datetime
    until: datetime
    probing: bool
    app: str | None = None
    host: str | None = None
    organization_id: str | None = None
    waiting: int | None = None
    ended: int = 0
    first_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is known of a provider; `refreshed` and `failed` are of ten minutes, None: nobody knows.

    `fault` says why it has no entry that can be used.
    """

    name: str
    title: str
    holds: Sequence[Hold] = ()
    connections: int = 0
    refreshed: float | None = None
    failed: float | None = None
    unread: int = 0
    fault: str | None = None

    @property
    def failed_share(self) -> float | None:
        """The share of the answers that brought no token; None: there were none."""
        answers = (self.refreshed or 0.0) + (self.failed or 0.0)
        return (self.failed or 0.0) / answers if answers else None


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """How it stands: the word, and the sentence with what follows it."""

    state: ProviderState
    label: str
    tone: Tone
    shape: str
    sentence: str
    more: Words


@dataclass(frozen=True, slots=True)
class Trouble:
    """One pause as an item of a list."""

    title: str
    words: Words
    tone: Tone
    shape: str


def standing(facts: ProviderFacts, now: datetime) -> ProviderStanding:
    """Returns how a provider stands, its worst trouble first."""
    hold = worst(facts.holds)
    state = _state(facts, hold)
    label, tone, shape = LOOKS[state]
    if hold is not None and state is OF_SORT[hold.sort] and _is_part(hold):
        label += " in part"
    sentence, more = _told(facts, state, hold, now)
    return ProviderStanding(state, label, tone, shape, sentence, more)


def worst(holds: Sequence[Hold]) -> Hold | None:
    """Returns the pause that matters most: a refused app first, what holds everybody before a part."""
    order = list(OF_SORT)
    return min(holds, key=lambda one: (order.index(one.sort), _is_part(one)), default=None)


def trouble(title: str, name: str, hold: Hold, now: datetime) -> Trouble:
    """Returns a pause as an item of a list."""
    _, tone, shape = LOOKS[OF_SORT[hold.sort]]
    return Trouble(
        f"{title} {_does(name, hold)}", (*_since(hold), *_goes_on(hold, now)), tone, shape
    )


def share_tone(share: float | None) -> Tone | None:
    """Returns how the share of answers without a token is marked; None: as any other number."""
    if share is None or share < AMBER_SHARE:
        return None
    return "warn" if share < RED_SHARE else "bad"


def _state(facts: ProviderFacts, hold: Hold | None) -> ProviderState:
    if facts.fault is not None:
        return ProviderState.NO_ENTRY
    if facts.unread and (hold is None or hold.sort is not Sort.REFUSED):
        return ProviderState.UNREAD
    if hold is not None:
        return OF_SORT[hold.sort]
    return _by_answers(facts)


def _by_answers(facts: ProviderFacts) -> ProviderState:
    if facts.refreshed is None:
        return ProviderState.NOT_HELD
    answers = (facts.refreshed or 0.0) + (facts.failed or 0.0)
    share = facts.failed_share
    if share is None:
        return ProviderState.QUIET
    if share >= MOST_FAIL and answers >= MANY_ANSWERS:
        return ProviderState.FAILING
    return ProviderState.ANSWERS


def _told(
    facts: ProviderFacts, state: ProviderState, hold: Hold | None, now: datetime
) -> tuple[str, Words]:
    if state is ProviderState.NO_ENTRY:
        return "It has no entry in the catalogue that can be used.", (facts.fault or "",)
    if state is ProviderState.UNREAD:
        number = amount(facts.unread, "of its answers", "of its answers")
        return f"{number} could not be read.", (UNREAD,)
    if hold is not None:
        return f"It {_does(facts.name, hold)}.", (*_since(hold), *_consequence(hold, now))
    return _of_answers(facts, state)


def _of_answers(facts: ProviderFacts, state: ProviderState) -> tuple[str, Words]:
    share = facts.failed_share
    if share is None or state is ProviderState.NOT_HELD:
        if not facts.connections:
            return "No connection uses it.", ()
        asked = ("Nothing was asked of it in the last 10 minutes.",)
        return "Nothing holds it up.", asked if state is ProviderState.QUIET else ()
    answers = (facts.refreshed or 0.0) + (facts.failed or 0.0)
    of = f"of its {many(round(answers), 'answer')} in the last 10 minutes"
    if state is ProviderState.FAILING:
        why = (
            "Each connection is tried again by itself; `refresher explain` tells why one stands so."
        )
        return "Most of its answers bring no token.", (
            f"{share * 100:.0f} % {of} brought none. ",
            why,
        )
    return "It answers.", (f"{(1 - share) * 100:.1f} % {of} brought a token.",)


def _is_part(hold: Hold) -> bool:
    return hold.host is not None or hold.organization_id is not None


def _does(name: str, hold: Hold) -> str:
    """Returns what a provider does, to be put behind its name."""
    at = f" at {hold.host}" if hold.host else ""
    whose = f" for the organization {hold.organization_id}" if hold.organization_id else ""
    match hold.sort:
        case Sort.REFUSED:
            return f"refuses our app {name}/{hold.app or 'default'}{at}{whose}: {hold.reason}"
        case Sort.SILENT:
            return f"is left alone{at}{whose}: {hold.reason}"
        case Sort.LIMITED:
            return f"asked us to wait{at}{whose}: {hold.reason}"
        case _:
            assert_never(hold.sort)


def _since(hold: Hold) -> Iterator[str | datetime]:
    yield "Since "
    yield hold.since
    yield ". "
    if hold.waiting is not None:
        yield f"{_waiting(hold.waiting)} "


def _waiting(waiting: int) -> str:
    if not waiting:
        return "No connection waits for it yet."
    return f"{capital(amount(waiting, 'connection waits', 'connections wait'))}."


def _goes_on(hold: Hold, now: datetime) -> Iterator[str | datetime]:
    """Yields how it goes on by itself."""
    left = (hold.until - now).total_seconds()
    if hold.probing or left <= 0:
        yield "One of them tries now"
    elif hold.sort is Sort.REFUSED:
        yield "One of them tries again at "
        yield hold.until
    else:
        yield f"One of them tries in {span(left)}"
    yield "; a right secret lets all go on at once." if hold.sort is Sort.REFUSED else "."


def _consequence(hold: Hold, now: datetime) -> Iterator[str | datetime]:
    if hold.waiting:
        yield "No connection ends by it"
        yield from _ends(hold)
        yield ". "
    if hold.sort is Sort.REFUSED:
        yield "As soon as a right secret is stored, all go on, spread over a few seconds."
        return
    yield from _goes_on(hold, now)


def _ends(hold: Hold) -> Iterator[str | datetime]:
    if hold.ended:
        yield f"; {hold.ended:,} of their access tokens {'has' if hold.ended == 1 else 'have'} ended"
    if hold.first_ends_at is not None:
        yield (
            "; the next of them ends at " if hold.ended else "; the first of their tokens ends at "
        )
        yield hold.first_ends_at
