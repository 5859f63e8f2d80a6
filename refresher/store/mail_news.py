"""Asks, when a mail is about to leave, how what it tells stands now; and takes out what is over.

What it decides by is `rules/notices.py`. A mail with nothing left to tell is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import RowMapping, text

from refresher.rules.notices import ConnectionNow, NewsNow

_OF_ONE = tuple(field.name for field in fields(ConnectionNow))
_OF_NEWS = (
    "id", "kind", "sequence", "now", "state", "told", "undecided", "endpoint_disabled",
)  # fmt: skip


def now(db: Db, mail_id: UUID) -> list[NewsNow]:
    """Returns what a mail would tell, each beside how its subject stands."""
    return [_news(row) for row in db.execute(_NOW, {"id": mail_id}).mappings()]


def take_out(db: Db, mail_id: UUID, *, hold: Sequence[UUID], drop: Sequence[UUID]) -> None:
    """Takes these entries out of a mail that is not begun: into the next digest, or for good."""
    values = {"id": mail_id, "hold": list(hold), "drop": list(drop)}
    if hold:
        db.execute(_HOLD, values)
    if drop:
        db.execute(_DROP, values)


def delete(db: Db, mail_id: UUID, lease_token: int) -> bool:
    """Deletes a leased mail that has nothing to tell; False when it is another's by now."""
    statement = text("delete from mail where id = :id and lease_token = :token and state = 1")
    return db.execute(statement, {"id": mail_id, "token": lease_token}).rowcount == 1


_NOW = text(
    """
    select o.id, o.kind, o.sequence, refresher_now() as now,
        o.scope, o.key, coalesce(n.state, 'well') as state, coalesce(n.told, 'well') as told,
        n.look_at is not null as undecided,
        o.payload ->> 'refresh_token_expires_at' as ends_at,
        w.disabled_at is not null as endpoint_disabled,
        c.id as connection_id, c.status, c.trouble, c.refresh_token_expires_at,
        c.deleted_at is not null as is_deleted,
        c.disabled_at is not null or c.paused_at is not null as is_stopped,
        coalesce(s.state = 2, false) as is_parked,
        coalesce(c.expires_at <= refresher_now()
                 and (s.attempt > 0 or s.postponed_by is not null), false) as is_dead
    from (
        select *, case when connection_id is not null then 'connection'
                       when app_key is not null then 'app' else 'webhook' end as scope,
            coalesce(connection_id::text, app_key, payload ->> 'webhook_id') as key
        from outbox where id in (select outbox_id from mail_entry where mail_id = :id)
    ) o
    left join notice n on n.scope = o.scope and n.key = o.key
    left join connection c on c.id = o.connection_id
    left join refresh_schedule s on s.connection_id = c.id
    left join webhook_endpoint w
        on w.id = cast(case when o.scope = 'webhook' then o.key end as uuid)
    """
)
_HOLD = text(
    "update mail_entry set mail_id = null "
    "where mail_id = :id and outbox_id = any(cast(:hold as uuid[]))"
)
_DROP = text(
    "delete from mail_entry where mail_id = :id and outbox_id = any(cast(:drop as uuid[]))"
)


def _news(row: RowMapping) -> NewsNow:
    known = None if row["connection_id"] is None else ConnectionNow(**{n: row[n] for n in _OF_ONE})
    return NewsNow(
        **{name: row[name] for name in _OF_NEWS},
        subject=(row["scope"], row["key"]),
        ends_at=datetime.fromisoformat(row["ends_at"]) if row["ends_at"] else None,
        connection=known,
    )
