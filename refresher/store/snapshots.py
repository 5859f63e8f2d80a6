"""What is stored of one connection at this moment, for tests and for people who look step by step."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from refresher.store.events import PastEvent
from refresher.store.in_flight import BEGUN
from refresher.store.session import Db, first, one, run

_EVENT = ", ".join(field.name for field in fields(PastEvent))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A connection and its schedule row, without its tokens.

    `state` is idle, leased or parked; `begun` tells that a request may be under way; instants are aware
    UTC in the database's clock.
    """

    state: str
    due_at: datetime | None
    lease_token: int
    begun: bool
    attempt: int
    parked_reason: str | None
    status: str
    status_cause: str | None
    credential_version: int
    expires_at: datetime | None


def snapshot(db: Db, connection_id: UUID) -> Snapshot | None:
    """Returns a connection as it is stored now; None when there is none, or it is a sibling."""
    sql = f"""
        select case s.state when 0 then 'idle' when 1 then 'leased' else 'parked' end as state,
            s.due_at, s.lease_token, {BEGUN} as begun, s.attempt,
            s.parked_reason, c.status, c.status_cause, c.credential_version, c.expires_at
        from refresh_schedule s join connection c on c.id = s.connection_id
        where s.connection_id = :id
        """  # noqa: S608  our own column names
    return first(db, Snapshot, sql, id=connection_id)


def newest_event_id(db: Db) -> int:
    """Returns the id of the newest event there is, 0 without one."""
    return one(db, int, "select coalesce(max(id), 0) from refresh_event")


def events_after(db: Db, event_id: int) -> list[tuple[UUID, PastEvent]]:
    """Returns every connection's events that are newer than `event_id`, the oldest first."""
    sql = (
        f"select connection_id, {_EVENT} from refresh_event "  # noqa: S608  our own column names
        "where id > :event_id order by id"
    )
    rows = run(db, sql, event_id=event_id).mappings()
    return [(row["connection_id"], PastEvent(**{k: row[k] for k in _KEPT})) for row in rows]


_KEPT = [field.name for field in fields(PastEvent)]
