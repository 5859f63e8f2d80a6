"""The table `refresh_event`: an append-only record of what happened to each connection, and why.

No secret ever stands in it. `reason` is a short code or sentence of ours, or the provider's error code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Event:
    """One line of history. `due_in_seconds` is None when the row left the schedule."""

    connection_id: UUID
    kind: str
    lease_token: int | None = None
    credential_version: int | None = None
    attempt: int | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None
    lateness_seconds: float | None = None
    expired_seconds: float | None = None
    reason: str | None = None
    due_in_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event as it is read back."""

    id: int
    connection_id: UUID
    occurred_at: datetime
    kind: str
    lease_token: int | None
    credential_version: int | None
    attempt: int | None
    http_status: int | None
    elapsed_seconds: float | None
    lateness_seconds: float | None
    expired_seconds: float | None
    reason: str | None
    next_due_at: datetime | None


_NAMES = [f.name for f in fields(Event)]
_APPEND = text(
    """
    insert into refresh_event (connection_id, kind, lease_token, credential_version, attempt,
        http_status, elapsed_seconds, lateness_seconds, expired_seconds, reason, next_due_at)
    select u.connection_id, u.kind, u.lease_token, u.credential_version, u.attempt, u.http_status,
        u.elapsed_seconds, u.lateness_seconds, u.expired_seconds, u.reason,
        refresher_now() + u.due_in_seconds * interval '1 second'
    from unnest(cast(:connection_id as uuid[]), cast(:kind as text[]), cast(:lease_token as bigint[]),
        cast(:credential_version as bigint[]), cast(:attempt as int[]),
        cast(:http_status as smallint[]), cast(:elapsed_seconds as float8[]),
        cast(:lateness_seconds as float8[]), cast(:expired_seconds as float8[]),
        cast(:reason as text[]), cast(:due_in_seconds as float8[]))
      u(connection_id, kind, lease_token, credential_version, attempt, http_status, elapsed_seconds,
        lateness_seconds, expired_seconds, reason, due_in_seconds)
    """
)


def append(db: Db, events: Sequence[Event]) -> None:
    """Appends events, all stamped with the transaction's time."""
    if events:
        db.execute(_APPEND, {name: [getattr(e, name) for e in events] for name in _NAMES})


def recent(
    db: Db, connection_id: UUID, *, limit: int = 50, before: int | None = None
) -> list[PastEvent]:
    """Returns the newest events of one connection (older than event `before`), the newest first."""
    columns = ", ".join(f.name for f in fields(PastEvent))
    statement = text(
        f"select {columns} from refresh_event "  # noqa: S608  our own column names
        "where connection_id = :id and id < :before order by id desc limit :limit"
    )
    values = {"id": connection_id, "limit": limit, "before": before or NEWEST}
    rows = db.execute(statement, values).mappings()
    return [PastEvent(**row) for row in rows]


def as_json(event: PastEvent) -> dict[str, object]:
    """Returns the event as plain values for `--json`."""
    return asdict(event)
