"""One connection looked at: as it stands now, or as it stood at an instant, with its newest events.

What is looked at is a root: a connection that has a grant of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.errors import RefresherError
from refresher.rules.explanation import DueReason, why_due
from refresher.rules.history import Moment, PastEvent, Untold, state_at
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider
from refresher.rules.reasons import Instants
from refresher.store import events
from refresher.store.events import Around
from refresher.store.session import Db
from refresher.store.standing import ConnectionStanding, standing_of

EVENTS_SHOWN = 20


class CannotTell(RefresherError):
    """How it stood then cannot be told; the message is the sentence that says why."""


@dataclass(frozen=True, slots=True)
class Then:
    """How a connection stood at an instant, and its events until then, the newest last."""

    at: datetime
    moment: Moment
    events: Sequence[PastEvent]

    @property
    def last(self) -> PastEvent | None:
        """The newest event until then."""
        return self.events[-1] if self.events else None


def now(
    db: Db, root: UUID, *, limit: int = EVENTS_SHOWN
) -> tuple[ConnectionStanding, list[PastEvent]]:
    """Returns how a connection that is there stands, and its newest events, the newest last."""
    standing = standing_of(db, root)
    assert standing is not None
    return standing, events.recent(db, root, limit=limit)[::-1]


def then(
    db: Db, standing: ConnectionStanding, at: datetime, *, kept_days: float, instant: Instants
) -> Then:
    """Returns how it stood at an instant that is past. Raises `CannotTell` where no event tells."""
    around = events.around(db, standing.connection.id, at)
    found = state_at(
        at,
        past=around.past,
        later=around.later,
        now=standing.moment,
        created_at=standing.created_at,
    )
    if isinstance(found, Untold):
        raise CannotTell(_untold(found.why, standing, around, kept_days, instant))
    return Then(at, found, around.past[-EVENTS_SHOWN:])


def why(
    standing: ConnectionStanding,
    moment: Moment,
    last: PastEvent | None,
    provider: Provider | None,
    policy: Policy,
) -> DueReason | None:
    """Returns why the row is due when it is, None for one that is parked or of no known provider."""
    if provider is None or moment.due_at is None:
        return None
    return why_due(standing.connection.id, moment, last, provider, policy)


def _untold(
    why: str, standing: ConnectionStanding, around: Around, kept_days: float, instant: Instants
) -> str:
    id_ = standing.connection.id
    if why == "before_the_first":
        return f"{id_} did not exist then: it was imported at {instant(standing.created_at)}"
    if why == "older_version":
        return f"the last event of {id_} before that time is of an older version, which kept less"
    kept = f"events are kept for {kept_days} days (REFRESHER_EVENT_RETENTION_DAYS)"
    oldest = (
        f"; the oldest one of {id_} is of {instant(around.oldest_at)}" if around.oldest_at else ""
    )
    return f"what happened before that time is pruned: {kept}{oldest}"
