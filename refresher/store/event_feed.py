"""The newest events of everybody, each with whose it is: a bounded look along the events' own order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.store.session import Db, many


@dataclass(frozen=True, slots=True)
class Fed:
    """One event. What concerns the whole service has no connection."""

    id: int
    occurred_at: datetime
    kind: str
    http_status: int | None
    elapsed_seconds: float | None
    reason: str | None
    connection_id: UUID | None
    provider: str | None
    external_id: str | None
    name: str | None


_NEWEST = """
    select e.id, e.occurred_at, e.kind, e.http_status, e.elapsed_seconds, e.reason, e.connection_id,
        c.provider, c.external_id, c.name
    from (select * from refresh_event order by id desc limit :limit) e
    left join lateral (
        select provider, external_id, name from connection where id = e.connection_id limit 1
    ) c on true
    order by e.id desc
    """


def newest(db: Db, *, limit: int) -> list[Fed]:
    """Returns the newest events, the newest first."""
    return many(db, Fed, _NEWEST, limit=limit)
