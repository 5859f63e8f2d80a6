"""Says in one word how a connection does, for lists and pages: what a person looks for first.

Pure. The word sums up what other fields tell apart: `status` (the grant), `state` (the schedule row),
the reason for parking, the failures since the last success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from refresher.rules.connection import ParkReason, Status


class Health(StrEnum):
    """How a connection does."""

    OK = "ok"
    RETRYING = "retrying"
    """Refreshes failed since the last success; it is tried again."""
    WAITING = "waiting"
    """Its provider or its app is left alone for a while."""
    EXPIRED = "expired"
    """Its token is dead, and nothing was tried yet: it is late."""
    RECONNECT = "reconnect"
    """A person has to connect it again."""
    CONNECTING = "connecting"
    """A person is connecting it: its OAuth steps are not finished."""
    STUCK = "stuck"
    """It is parked for a reason that only an operator can mend."""
    PAUSED = "paused"
    OFF = "off"
    DELETED = "deleted"


_PARKED: Mapping[str, Health] = {
    ParkReason.MISSING: Health.DELETED,
    ParkReason.DELETED: Health.DELETED,
    ParkReason.DISABLED: Health.OFF,
    ParkReason.PAUSED: Health.PAUSED,
    ParkReason.MID_OAUTH: Health.CONNECTING,
    ParkReason.RECONNECT_REQUIRED: Health.RECONNECT,
}


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What the word is made of. `postponed_by` is what an idle row waits for the end of."""

    status: str = Status.ACTIVE
    parked_reason: str | None = None
    postponed_by: str | None = None
    failures: int = 0
    is_deleted: bool = False
    is_disabled: bool = False
    is_paused: bool = False
    in_between_steps: bool = False
    is_expired: bool = False


def health(facts: HealthFacts) -> Health:
    """Returns the word; what somebody decided comes before what a provider said."""
    on_purpose = _on_purpose(facts)
    if on_purpose is not None:
        return on_purpose
    if facts.status == Status.RECONNECT_REQUIRED:
        return Health.RECONNECT
    if facts.parked_reason is not None:
        return _PARKED.get(facts.parked_reason, Health.STUCK)
    if facts.failures:
        return Health.RETRYING
    # A row that waits for its turn under a rate limit is in no trouble.
    if facts.postponed_by is not None and not facts.postponed_by.startswith("rate:"):
        return Health.WAITING
    return Health.EXPIRED if facts.is_expired else Health.OK


def _on_purpose(facts: HealthFacts) -> Health | None:
    if facts.is_deleted:
        return Health.DELETED
    if facts.is_disabled:
        return Health.OFF
    if facts.is_paused:
        return Health.PAUSED
    return Health.CONNECTING if facts.in_between_steps else None


def in_words(facts: HealthFacts) -> str:
    """Returns the word as a list shows it, with the count of failures: `retrying (5)`."""
    word = health(facts)
    return f"{word} ({facts.failures})" if word is Health.RETRYING else word.value
