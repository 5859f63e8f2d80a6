"""The table `resume_link`: a link is used once, and this row is the proof; or it is withdrawn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link as it is stored; `expired` in the database's clock, `key_revoked` its maker's."""

    connection_id: UUID
    made_by: str
    key_id: str | None
    expired: bool
    used: bool
    withdrawn: bool
    key_revoked: bool
    replaces_tokens: bool


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link as people see it: not the link itself, which is stored nowhere."""

    id: UUID
    connection_id: UUID
    state: Literal["open", "used", "withdrawn", "expired"]
    made_by: str
    key_id: str | None
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    withdrawn_at: datetime | None
    replaces_tokens: bool


@dataclass(frozen=True, slots=True)
class NewLink:
    """What is stored of a new link. One that a key made ends with the key."""

    id: UUID
    connection_id: UUID
    made_by: str
    key_id: str | None
    seconds: float
    replaces_tokens: bool = False


def put(db: Db, link: NewLink) -> datetime:
    """Stores a link and returns its end, a whole second; forgets the connection's old ones."""
    forget = text(
        "delete from resume_link where connection_id = :connection_id "
        "and expires_at < refresher_now() - :days * interval '1 day'"
    )
    db.execute(forget, {"connection_id": link.connection_id, "days": KEPT_DAYS})
    statement = text(
        """
        insert into resume_link (id, connection_id, made_by, key_id, replaces_tokens, expires_at)
        values (:id, :connection_id, :made_by, :key_id, :replaces_tokens,
                date_trunc('second', least(refresher_now() + :seconds * interval '1 second',
                                           (select expires_at from api_key where id = :key_id))))
        returning expires_at
        """
    )
    values = {name: getattr(link, name) for name in NewLink.__slots__}
    end: datetime = db.execute(statement, values).scalar_one()
    return end


def locked(db: Db, link_id: UUID) -> StoredLink | None:
    """Returns a link, and lets nobody else have it until the transaction ends."""
    statement = text(
        """
        select l.connection_id, l.made_by, l.key_id, l.expires_at <= refresher_now() as expired,
            l.used_at is not null as used, l.withdrawn_at is not null as withdrawn,
            coalesce(k.revoked_at is not null, false) as key_revoked, l.replaces_tokens
        from resume_link l left join api_key k on k.id = l.key_id
        where l.id = :id for update of l
        """
    )
    row = db.execute(statement, {"id": link_id}).mappings().first()
    return None if row is None else StoredLink(**row)


def use(db: Db, link_id: UUID, payload: Mapping[str, object] | None) -> None:
    """Marks a locked link as used, with what came along."""
    statement = text(
        "update resume_link set used_at = refresher_now(), payload = cast(:payload as jsonb) "
        "where id = :id and used_at is null"
    )
    written = None if payload is None else json.dumps(payload)
    db.execute(statement, {"id": link_id, "payload": written})


_VIEW = """
    select l.id, l.connection_id, l.made_by, l.key_id, l.made_at, l.expires_at, l.used_at,
        l.withdrawn_at, l.replaces_tokens,
        case when l.used_at is not null then 'used'
             when l.withdrawn_at is not null or k.revoked_at is not null then 'withdrawn'
             when l.expires_at <= refresher_now() then 'expired' else 'open' end as state
    from resume_link l left join api_key k on k.id = l.key_id
    where l.connection_id = :connection_id
"""


def of(db: Db, connection_id: UUID) -> Sequence[LinkView]:
    """Returns a connection's links of the last weeks, the newest first."""
    statement = text(_VIEW + " order by l.made_at desc, l.id desc")
    rows = db.execute(statement, {"connection_id": connection_id}).mappings()
    return [LinkView(**row) for row in rows]


def withdraw(db: Db, connection_id: UUID, link_id: UUID) -> LinkView | None:
    """Withdraws a link that is not used yet, and returns it; None where the connection has none such.

    One that was used stays so: what it did is done.
    """
    values = {"connection_id": connection_id, "id": link_id}
    db.execute(
        text(
            "update resume_link set withdrawn_at = refresher_now() where id = :id "
            "and connection_id = :connection_id and used_at is null and withdrawn_at is null"
        ),
        values,
    )
    row = db.execute(text(_VIEW + " and l.id = :id"), values).mappings().first()
    return LinkView(**row) if row else None
