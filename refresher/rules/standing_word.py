"""How a connection stands, in one word: the same for list, page, bulk job, API and command line.

Pure. The word is what a person looks for first: it sums up what other fields tell apart. Red is only
what somebody must act on; what refreshes itself is no alarm. `store/words.py` says the same in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from refresher.rules.connection import ParkReason, Status
from refresher.rules.explanation import PACE, held_in_words

LATE_SECONDS = 30.0
"""Overdue by so much, a row is late: a tick and a full batch are over long before."""
TURNS = ("rate:", PACE)
"""What a row waits for that only waits for its turn: it is in no trouble."""

Tone = Literal["good", "warn", "bad", "still", "plain"]


class Health(StrEnum):
    """How a connection stands; in this order, the first that holds."""

    DELETED = "deleted"
    DISABLED = "disabled"
    PAUSED = "paused"
    CONNECTING = "connecting"
    """A person is connecting it: its OAuth steps are not finished."""
    RECONNECT_REQUIRED = "reconnect_required"
    """A person has to connect it again."""
    BLOCKED = "blocked"
    """It is out of the schedule for a reason that an operator can mend."""
    REFRESHING = "refreshing"
    EXPIRED = "expired"
    """Its token is dead, and nobody refreshes it at this moment."""
    WAITING = "waiting"
    """Its provider or its app is left alone for a while."""
    RETRYING = "retrying"
    """Refreshes failed since the last success; it is tried again."""
    LATE = "late"
    """It was due half a minute ago or more."""
    FRESH = "fresh"

    @property
    def label(self) -> str:
        """The word as a page shows it: Reconnect required."""
        return label(self)

    @property
    def tone(self) -> Tone:
        """Its colour; red only where somebody must act."""
        return _LOOKS[self][0]

    @property
    def shape(self) -> str:
        """The name of its icon, so that no word is told by colour alone."""
        return _LOOKS[self][1]


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What the word is made of.

    `state` is the schedule row's, idle, leased or parked; "none" where there is no row. `late_seconds`
    is how long an idle row has been due, below 0 while it is not. `is_expired`: the access token's end
    is over.
    """

    state: str = "idle"
    status: str = Status.ACTIVE
    parked_reason: str | None = None
    postponed_by: str | None = None
    failures: int = 0
    is_deleted: bool = False
    is_disabled: bool = False
    is_paused: bool = False
    in_between_steps: bool = False
    is_expired: bool = False
    late_seconds: float = -1.0


PARKED: Mapping[str, Health] = {
    ParkReason.MISSING: Health.DELETED,
    ParkReason.DELETED: Health.DELETED,
    ParkReason.DISABLED: Health.DISABLED,
    ParkReason.PAUSED: Health.PAUSED,
    ParkReason.MID_OAUTH: Health.CONNECTING,
    ParkReason.RECONNECT_REQUIRED: Health.RECONNECT_REQUIRED,
}
"""What a row is parked for that is no blockade; for any other reason it is `blocked`."""


def health(facts: HealthFacts) -> Health:
    """Returns the word: what somebody decided, then the grant, then the schedule and the token."""
    parked = PARKED.get(facts.parked_reason or "") if facts.state == "parked" else None
    chosen = {
        Health.DELETED: facts.is_deleted,
        Health.DISABLED: facts.is_disabled,
        Health.PAUSED: facts.is_paused,
        Health.CONNECTING: facts.in_between_steps,
        Health.RECONNECT_REQUIRED: facts.status == Status.RECONNECT_REQUIRED,
    }
    for word, holds in chosen.items():
        if holds or parked is word:
            return word
    if facts.state == "leased":
        return Health.REFRESHING
    return _idle(facts) if facts.state == "idle" else Health.BLOCKED


def _idle(facts: HealthFacts) -> Health:
    if facts.is_expired:
        return Health.EXPIRED
    if facts.postponed_by is not None and not facts.postponed_by.startswith(TURNS):
        return Health.WAITING
    if facts.failures:
        return Health.RETRYING
    return Health.LATE if facts.late_seconds > LATE_SECONDS else Health.FRESH


def with_failures(word: Health, failures: int) -> str:
    """Returns the word, `retrying` with the failures since the last success: `retrying (2)`."""
    return f"{word} ({failures})" if word is Health.RETRYING else word.value


def label(word: Health) -> str:
    """Returns the word as a page shows it: Reconnect required."""
    return word.replace("_", " ").capitalize()


_LOOKS: Mapping[Health, tuple[Tone, str]] = {
    Health.DELETED: ("still", "cross"),
    Health.DISABLED: ("still", "minus"),
    Health.PAUSED: ("still", "pause"),
    Health.CONNECTING: ("still", "ring"),
    Health.RECONNECT_REQUIRED: ("bad", "cross"),
    Health.BLOCKED: ("bad", "octagon"),
    Health.REFRESHING: ("plain", "turning"),
    Health.EXPIRED: ("bad", "clock"),
    Health.WAITING: ("still", "hourglass"),
    Health.RETRYING: ("warn", "again"),
    Health.LATE: ("warn", "clock"),
    Health.FRESH: ("good", "tick"),
}


@dataclass(frozen=True, slots=True)
class NoteFacts:
    """What a note is made of: `cause` is why a grant ended, `failure` why the last attempt failed."""

    parked_reason: str | None = None
    postponed_by: str | None = None
    cause: str | None = None
    failure: str | None = None


def note(word: Health, facts: NoteFacts) -> str | None:
    """Returns what is said beside the word: for whom it waits, why it failed or is blocked."""
    match word:
        case Health.RECONNECT_REQUIRED:
            return facts.cause
        case Health.BLOCKED:
            return BLOCKADES.get(facts.parked_reason or "", facts.parked_reason)
        case Health.WAITING:
            scope, _, key = (facts.postponed_by or "").partition(":")
            whom = held_in_words(key)
            return f"app {whom} is refused" if scope == "app" else f"{whom} is left alone"
        case Health.RETRYING | Health.EXPIRED | Health.LATE:
            return facts.failure
        case _:
            return None


BLOCKADES: Mapping[str, str] = {
    ParkReason.NO_EXPIRY: "nobody tells when its token ends",
    ParkReason.NOTHING_TO_REFRESH_WITH: "no token to refresh with",
    ParkReason.UNKNOWN_PROVIDER: "its provider has no entry",
    ParkReason.APP_NOT_CONFIGURED: "no app is stored for it",
    ParkReason.UNDECRYPTABLE: "no key opens its tokens",
    ParkReason.UNBUILDABLE_REQUEST: "no request can be made of it",
    ParkReason.UNREAD_ANSWER: "its answer could not be read",
    ParkReason.LOST_ANSWER: "its last answer never came",
    ParkReason.CRASH_LOOP: "refreshing it ended its process",
    ParkReason.UNSTORED: "its new tokens could not be stored",
}
"""Why a row is blocked, in a few words; what mends it is told by `explain`."""
