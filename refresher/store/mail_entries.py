"""The table `mail_entry`: what each recipient is told, in a mail of its own or in the next digest.

How mails leave is in `mails.py`. When one is about to, `news_now` asks how what it tells stands now,
and what is over is taken out (by what rule: `rules/notices.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.rules.notices import ConnectionNow, NewsNow
from refresher.store.db import RowMapping
from refresher.store.mails import Form
from refresher.store.session import Db, many, run


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that one recipient is to be told; `mail_id` None joins the next digest."""

    recipient_id: UUID
    outbox_id: UUID
    mail_id: UUID | None


def recent(db: Db, recipients: Sequence[UUID], *, within_seconds: float) -> dict[UUID, int]:
    """Returns how many plain mails were made for each of these lately."""
    sql = """
        select recipient_id, count(*) from mail
        where recipient_id = any(cast(:ids as uuid[])) and form = 'plain'
          and created_at > refresher_now() - :within * interval '1 second'
        group by recipient_id
        """
    rows = run(db, sql, ids=list(recipients), within=within_seconds)
    return {row[0]: row[1] for row in rows}


def plan(db: Db, planned: Sequence[Planned]) -> None:
    """Stores what recipients are to be told, and makes the mails that go at once."""
    if not planned:
        return
    _make(db, "plain", [(p.mail_id, p.recipient_id) for p in planned if p.mail_id is not None])
    run(
        db,
        _ENTRIES,
        recipients=[p.recipient_id for p in planned],
        outbox_ids=[p.outbox_id for p in planned],
        mails=[p.mail_id for p in planned],
    )


def _make(db: Db, form: Form, mails: Sequence[tuple[UUID, UUID]]) -> None:
    run(db, _MAKE, ids=[m for m, _ in mails], recipients=[r for _, r in mails], form=form)


_MAKE = """
    insert into mail (id, recipient_id, form, due_at)
    select id, recipient_id, :form, refresher_now()
    from unnest(cast(:ids as uuid[]), cast(:recipients as uuid[])) u(id, recipient_id)
    """
_ENTRIES = """
    insert into mail_entry (recipient_id, outbox_id, mail_id)
    select recipient_id, outbox_id, mail_id from unnest(
        cast(:recipients as uuid[]), cast(:outbox_ids as uuid[]), cast(:mails as uuid[]))
        u(recipient_id, outbox_id, mail_id)
    on conflict do nothing
    """


def make_digests(db: Db) -> int:
    """Makes one digest for each recipient of exactly what waits for it now; returns how many.

    Who has a digest under way gets none; recipients are locked until the commit.
    """
    waiting = many(db, UUID, _WAITING)
    if waiting:
        mails = [(uuid7(), recipient_id) for recipient_id in waiting]
        _make(db, "digest", mails)
        run(db, _FILL, ids=[m for m, _ in mails], recipients=waiting)
    return len(waiting)


def is_told(db: Db, mail_id: UUID, connection_id: UUID) -> bool:
    """Whether the recipient of a mail can be told once more of this connection."""
    values = {"mail": mail_id, "connection": connection_id}
    return run(db, _TOLD, **values, after=0.0).first() is not None


def tell_again(
    db: Db, mail_id: UUID, connection_id: UUID, new_id: UUID, *, after_seconds: float
) -> bool:
    """Has what the recipient of a mail was told of a connection last go again, in a mail of its own.

    False where it was told less than `after_seconds` ago, or nobody is there to be told.
    """
    values = {"mail": mail_id, "connection": connection_id, "after": after_seconds}
    row = run(db, f"{_TOLD} for update of r", **values).first()
    if row is None:
        return False
    _make(db, "plain", [(new_id, row.recipient_id)])
    sql = """
        update mail_entry set mail_id = :new, delivered_at = null
        where recipient_id = :recipient and outbox_id = :outbox
        """
    run(db, sql, new=new_id, recipient=row.recipient_id, outbox=row.outbox_id)
    return True


# A mail that is under way is not told again; its recipient has it in a moment.
_TOLD = """
    select r.id as recipient_id, o.id as outbox_id
    from mail m join recipient r on r.id = m.recipient_id and r.blocked_at is null
    join mail_entry e on e.recipient_id = r.id
    join outbox o on o.id = e.outbox_id and o.connection_id = :connection
    join mail last on last.id = e.mail_id and last.state in (2, 3)
      and last.created_at <= refresher_now() - :after * interval '1 second'
    where m.id = :mail order by o.sequence desc limit 1
    """


_WAITING = """
    select r.id from recipient r
    where r.blocked_at is null
      and r.id in (select recipient_id from mail_entry where mail_id is null)
      and not exists (select 1 from mail m where m.recipient_id = r.id and m.form = 'digest'
                      and m.state in (0, 1))
    order by r.id for update of r skip locked
    """
_FILL = """
    update mail_entry e set mail_id = u.id
    from unnest(cast(:ids as uuid[]), cast(:recipients as uuid[])) u(id, recipient_id)
    where e.recipient_id = u.recipient_id and e.mail_id is null
    """


_OF_ONE = tuple(field.name for field in fields(ConnectionNow))
_OF_NEWS = (
    "id", "kind", "sequence", "now", "state", "told", "undecided", "endpoint_disabled",
)  # fmt: skip


def news_now(db: Db, mail_id: UUID) -> list[NewsNow]:
    """Returns what a mail would tell, each beside how its subject stands."""
    return [_news(row) for row in run(db, _NOW, id=mail_id).mappings()]


def take_out(db: Db, mail_id: UUID, *, hold: Sequence[UUID], drop: Sequence[UUID]) -> None:
    """Takes these entries out of a loaded mail: into the next digest, or for good."""
    if hold:
        run(db, _HOLD, id=mail_id, hold=list(hold))
    if drop:
        run(db, _DROP, id=mail_id, drop=list(drop))


_NOW = """
    select o.id, o.kind, o.sequence, refresher_now() as now,
        o.scope, o.key, coalesce(n.state, 'well') as state, coalesce(n.told, 'well') as told,
        n.look_at is not null as undecided,
        o.payload ->> 'refresh_token_expires_at' as ends_at,
        w.disabled_at is not null as endpoint_disabled,
        c.id as connection_id, c.status, c.trouble,
        coalesce(c.grant_ends_at, c.refresh_token_expires_at) as refresh_token_expires_at,
        c.deleted_at is not null as is_deleted,
        c.disabled_at is not null or c.paused_at is not null as is_stopped,
        coalesce(s.state = 2, false) as is_parked,
        coalesce(c.expires_at <= refresher_now()
                 and (s.attempt > 0 or s.postponed_by is not null), false) as is_dead
    from (
        select *, case when connection_id is not null then 'connection'
                       when app_key is not null then 'app'
                       when payload ? 'webhook_id' then 'webhook' else 'session' end as scope,
            coalesce(connection_id::text, app_key, payload ->> 'webhook_id',
                     payload ->> 'session_id') as key
        from outbox where id in (select outbox_id from mail_entry where mail_id = :id)
    ) o
    left join notice n on n.scope = o.scope and n.key = o.key
    left join connection c on c.id = o.connection_id
    left join refresh_schedule s on s.connection_id = c.id
    left join webhook_endpoint w
        on w.id = cast(case when o.scope = 'webhook' then o.key end as uuid)
    """
_HOLD = (
    "update mail_entry set mail_id = null "
    "where mail_id = :id and outbox_id = any(cast(:hold as uuid[]))"
)
_DROP = "delete from mail_entry where mail_id = :id and outbox_id = any(cast(:drop as uuid[]))"


def _news(row: RowMapping) -> NewsNow:
    known = None if row["connection_id"] is None else ConnectionNow(**{n: row[n] for n in _OF_ONE})
    return NewsNow(
        **{name: row[name] for name in _OF_NEWS},
        subject=(row["scope"], row["key"]),
        ends_at=datetime.fromisoformat(row["ends_at"]) if row["ends_at"] else None,
        connection=known,
    )
