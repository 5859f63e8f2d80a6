"""The tables `resume_link` and `signal`: what comes from outside, each once.

A link is used once, and its row is the proof; or it is withdrawn. A notice of a provider that is sent
again does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from refresher.store.events import Event, append
from refresher.store.session import Db, first, many, one, run

LINKS_KEPT_DAYS = 30


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


def put_link(db: Db, link: NewLink) -> datetime:
    """Stores a link and returns its end, a whole second; forgets the connection's old ones."""
    forget = (
        "delete from resume_link where connection_id = :connection_id "
        "and expires_at < refresher_now() - :days * interval '1 day'"
    )
    run(db, forget, connection_id=link.connection_id, days=LINKS_KEPT_DAYS)
    statement = """
        insert into resume_link (id, connection_id, made_by, key_id, replaces_tokens, expires_at)
        values (:id, :connection_id, :made_by, :key_id, :replaces_tokens,
                date_trunc('second', least(refresher_now() + :seconds * interval '1 second',
                                           (select expires_at from api_key where id = :key_id))))
        returning expires_at
        """
    values = {name: getattr(link, name) for name in NewLink.__slots__}
    return one(db, datetime, statement, **values)


def locked_link(db: Db, link_id: UUID) -> StoredLink | None:
    """Returns a link, and lets nobody else have it until the transaction ends."""
    sql = """
        select l.connection_id, l.made_by, l.key_id, l.expires_at <= refresher_now() as expired,
            l.used_at is not null as used, l.withdrawn_at is not null as withdrawn,
            coalesce(k.revoked_at is not null, false) as key_revoked, l.replaces_tokens
        from resume_link l left join api_key k on k.id = l.key_id
        where l.id = :id for update of l
        """
    return first(db, StoredLink, sql, id=link_id)


def use_link(db: Db, link_id: UUID, payload: Mapping[str, object] | None) -> None:
    """Marks a locked link as used, with what came along."""
    sql = (
        "update resume_link set used_at = refresher_now(), payload = cast(:payload as jsonb) "
        "where id = :id and used_at is null"
    )
    written = None if payload is None else json.dumps(payload)
    run(db, sql, id=link_id, payload=written)


_VIEW = """
    select l.id, l.connection_id, l.made_by, l.key_id, l.made_at, l.expires_at, l.used_at,
        l.withdrawn_at, l.replaces_tokens,
        case when l.used_at is not null then 'used'
             when l.withdrawn_at is not null or k.revoked_at is not null then 'withdrawn'
             when l.expires_at <= refresher_now() then 'expired' else 'open' end as state
    from resume_link l left join api_key k on k.id = l.key_id
    where l.connection_id = :connection_id
"""


def links_of(db: Db, connection_id: UUID) -> Sequence[LinkView]:
    """Returns a connection's links of the last weeks, the newest first."""
    sql = _VIEW + " order by l.made_at desc, l.id desc"
    return many(db, LinkView, sql, connection_id=connection_id)


def withdraw_link(db: Db, connection_id: UUID, link_id: UUID) -> LinkView | None:
    """Withdraws a link that is not used yet, and returns it; None where the connection has none such.

    One that was used stays so: what it did is done.
    """
    values = {"connection_id": connection_id, "id": link_id}
    run(
        db,
        "update resume_link set withdrawn_at = refresher_now() where id = :id "
        "and connection_id = :connection_id and used_at is null and withdrawn_at is null",
        **values,
    )
    return first(db, LinkView, _VIEW + " and l.id = :id", **values)


SIGNALS_KEPT_DAYS = 30


def note_signal(db: Db, provider: str, event_id: str, kind: str) -> bool:
    """Writes a notice down; returns whether it is new. Forgets old ones, some at a time."""
    run(
        db,
        "delete from signal where ctid in (select ctid from signal where received_at < "
        "refresher_now() - :days * interval '1 day' limit 100 for update skip locked)",
        days=SIGNALS_KEPT_DAYS,
    )
    sql = (
        "insert into signal (provider, event_id, kind) values (:provider, :event_id, :kind) "
        "on conflict do nothing"
    )
    return run(db, sql, provider=provider, event_id=event_id, kind=kind).rowcount == 1


def accounts(db: Db, provider: str, subject: str, metadata_key: str | None) -> list[UUID]:
    """Returns the living connections of one account at a provider, each as the root of its grant.

    So are their slots: which of an account's tokens have ended, the provider's notice does not tell.
    """
    same = "c.external_id = :subject" if metadata_key is None else "c.metadata ->> :key = :subject"
    sql = (
        "with ones as (select distinct coalesce(c.root_id, c.id) as id from connection c "  # noqa: S608  ours
        f"where c.provider = :provider and c.deleted_at is null and {same}) select id from ones "
        "union select s.id from connection s join ones on s.slot_of = ones.id "
        "where s.deleted_at is null"
    )
    values = {"provider": provider, "subject": subject}
    values |= {"key": metadata_key} if metadata_key is not None else {}
    return many(db, UUID, sql, **values)


def check_soon(db: Db, provider: str, event_id: str, ids: Sequence[UUID], reason: str) -> None:
    """Makes idle rows due now. One that is under way or parked is left: it is looked at already."""
    run(
        db,
        "update refresh_schedule set due_at = least(due_at, refresher_now()) "
        "where connection_id = any(cast(:ids as uuid[])) and state + 0 = 0",
        ids=list(ids),
    )
    append(db, [Event(one, "signal", reason=reason) for one in ids])
    run(
        db,
        "update signal set connections = :n where provider = :provider and event_id = :event_id",
        n=len(ids),
        provider=provider,
        event_id=event_id,
    )
