"""The table `resume_link`: a link is used once, and this row is the proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link as it is stored; `expired` in the database's clock."""

    connection_id: UUID
    expired: bool
    used: bool


def put(db: Db, link_id: UUID, connection_id: UUID, made_by: str, *, seconds: float) -> datetime:
    """Stores a link and returns its end, a whole second; forgets the connection's old ones."""
    forget = text(
        "delete from resume_link where connection_id = :connection_id "
        "and expires_at < refresher_now() - :days * interval '1 day'"
    )
    db.execute(forget, {"connection_id": connection_id, "days": KEPT_DAYS})
    statement = text(
        """
        insert into resume_link (id, connection_id, made_by, expires_at)
        values (:id, :connection_id, :made_by,
                date_trunc('second', refresher_now() + :seconds * interval '1 second'))
        returning expires_at
        """
    )
    values = {
        "id": link_id,
        "connection_id": connection_id,
        "made_by": made_by,
        "seconds": seconds,
    }
    end: datetime = db.execute(statement, values).scalar_one()
    return end


def locked(db: Db, link_id: UUID) -> StoredLink | None:
    """Returns a link, and lets nobody else have it until the transaction ends."""
    statement = text(
        "select connection_id, expires_at <= refresher_now() as expired, "
        "used_at is not null as used from resume_link where id = :id for update"
    )
    row = db.execute(statement, {"id": link_id}).first()
    return None if row is None else StoredLink(*row)


def use(db: Db, link_id: UUID, payload: Mapping[str, object] | None) -> None:
    """Marks a locked link as used, with what came along."""
    statement = text(
        "update resume_link set used_at = refresher_now(), payload = cast(:payload as jsonb) "
        "where id = :id and used_at is null"
    )
    written = None if payload is None else json.dumps(payload)
    db.execute(statement, {"id": link_id, "payload": written})
