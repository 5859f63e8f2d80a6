"""The table `outbox`: what people are to be told, written in the transaction in which it came to be so.

An entry is about one connection or one app, and never changes. `sequence` numbers the entries of one
connection (or app) 1, 2, 3, without a gap and in the order in which they were committed: who writes one
holds the row of `notice` until its commit. `organization_id` is null for what concerns operators.

**How a consumer reads it.** `append` leaves one row in `outbox_pending` for each of `CONSUMERS`. On the
scheduler's tick a consumer calls, in one transaction of its own::

    entries = outbox.take(db, "webhook", limit=500)   # locks and deletes its pending rows
    ...insert what follows into its own delivery table, keyed by entry.id

Nothing else touches its pending rows, so consumers neither wait for nor disturb each other, and two
schedulers share the work (`skip locked`). If the transaction fails, the rows are pending again. Entries
come in the order of writing; for order in delivery compare `(connection_id, sequence)`: an entry may be
delivered once no delivery of the same connection with a lower sequence is open. A new consumer begins
with what is written after it stands in `CONSUMERS`.

State changes come through `store/notices.py`, which knows what was told already; the only entries that
are no state change (`connection.expiring`) come from `store/ends.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.rules.connect import Outcome, Session, Trouble
from refresher.rules.notices import Kind, NoticeSubject
from refresher.store.session import Db, many, run

CONSUMERS = ("mail", "webhook")
"""Who reads the outbox, each at its own pace."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell. `facts` are added to what every notice of its scope says; no secret ever."""

    subject: NoticeSubject
    kind: Kind
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One entry as it is read back. `payload` is what `docs/notifications.md` documents."""

    id: UUID
    organization_id: str | None
    connection_id: UUID | None
    app_key: str | None
    sequence: int
    kind: str
    payload: dict[str, object]
    occurred_at: datetime


_NUMBER = """
    insert into notice as n (scope, key, sequence)
    select scope, key, 1 from unnest(cast(:scopes as text[]), cast(:keys as text[])) u(scope, key)
    order by scope, key
    on conflict (scope, key) do update set sequence = n.sequence + 1
    """
_APPEND = """
    with news as (
        select u.id, u.scope, u.key, u.kind, u.facts, n.sequence
        from unnest(cast(:ids as uuid[]), cast(:scopes as text[]), cast(:keys as text[]),
                    cast(:kinds as text[]), cast(:facts as text[])) u(id, scope, key, kind, facts)
        join notice n on n.scope = u.scope and n.key = u.key
    ), written as (
        insert into outbox (id, organization_id, connection_id, app_key, sequence, kind, payload)
        select u.id, c.organization_id, c.id, null, u.sequence, u.kind,
            jsonb_build_object('connection_id', m.id, 'organization_id', c.organization_id,
                'provider', c.provider, 'external_id', c.external_id, 'name', m.name)
            || case when c.slot = '' then '{}' else jsonb_build_object('slot', c.slot) end
            || cast(u.facts as jsonb)
        from news u join connection c on c.id = cast(u.key as uuid)
        join connection m on m.id = coalesce(c.slot_of, c.id) where u.scope = 'connection'
        union all
        select u.id, null, null, u.key, u.sequence, u.kind,
            jsonb_build_object('app', u.key, 'provider', split_part(u.key, '/', 1))
            || cast(u.facts as jsonb)
        from news u where u.scope = 'app'
        union all
        select u.id, null, null, null, u.sequence, u.kind,
            jsonb_build_object('webhook_id', e.id, 'organization_id', e.organization_id,
                'url', split_part(e.url, '?', 1)) || cast(u.facts as jsonb)
        from news u join webhook_endpoint e on e.id = cast(u.key as uuid) where u.scope = 'webhook'
        returning id
    )
    insert into outbox_pending (consumer, outbox_id)
    select consumer, id from written cross join unnest(cast(:consumers as text[])) consumer
    """


def append(db: Db, news: Sequence[News]) -> list[UUID]:
    """Writes entries, at most one for each subject, stamped with the transaction's time.

    Commits or rolls back with the caller's transaction, so nothing is told that did not happen. Returns
    their ids.
    """
    ids = [uuid7() for _ in news]
    if not news:
        return ids
    assert len({n.subject for n in news}) == len(news), "one notice about a subject at a time"
    subjects = {"scopes": [n.subject[0] for n in news], "keys": [n.subject[1] for n in news]}
    run(db, _NUMBER, **subjects)
    run(
        db,
        _APPEND,
        **subjects,
        ids=ids,
        kinds=[n.kind.value for n in news],
        facts=[json.dumps(dict(n.facts)) for n in news],
        consumers=list(CONSUMERS),
    )
    return ids


def tell_session(db: Db, session: Session, outcome: Outcome, trouble: Trouble | None) -> None:
    """Tells that a connect session ended without a connection: all that is ever told of it itself."""
    named = ("provider", "external_id", "connection_id", "flow")
    facts = {name: getattr(session, name) for name in named} | {"session_kind": session.kind}
    why = {"problem": trouble and trouble.code, "cause": trouble and trouble.sentence}
    payload = {"session_id": session.id, "organization_id": session.organization_id, **facts,
               "outcome": outcome, **why}  # fmt: skip
    sql = """
        with written as (
            insert into outbox (id, organization_id, sequence, kind, payload)
            values (:id, :organization_id, 1, :kind, cast(:payload as jsonb)) returning id
        )
        insert into outbox_pending (consumer, outbox_id)
        select consumer, id from written cross join unnest(cast(:consumers as text[])) consumer
        """
    run(
        db,
        sql,
        id=uuid7(),
        organization_id=session.organization_id,
        kind=Kind.CONNECT_ENDED.value,
        payload=json.dumps(payload, default=str),
        consumers=list(CONSUMERS),
    )


def take(db: Db, consumer: str, *, limit: int) -> list[OutboxEntry]:
    """Returns entries that `consumer` has not read yet, oldest first, and marks them as read.

    Read they are only if the caller's transaction commits; another that reads meanwhile gets others.
    """
    sql = f"""
        with mine as materialized (
            select outbox_id from outbox_pending where consumer = :consumer
            order by outbox_id limit :limit for update skip locked
        ), read as (
            delete from outbox_pending p using mine
            where p.consumer = :consumer and p.outbox_id = mine.outbox_id
        )
        select {_COLUMNS} from outbox o join mine on mine.outbox_id = o.id order by o.id
        """  # noqa: S608  our own column names
    return many(db, OutboxEntry, sql, consumer=consumer, limit=limit)


def find(db: Db, ids: Sequence[UUID]) -> list[OutboxEntry]:
    """Returns these entries, oldest first."""
    sql = (
        f"select {_COLUMNS} from outbox o "  # noqa: S608  our own column names
        "where o.id = any(cast(:ids as uuid[])) order by o.id"
    )
    return many(db, OutboxEntry, sql, ids=list(ids))


def forget_old(db: Db, *, days: float, limit: int = 5_000) -> int:
    """Deletes entries older than `days` that nobody has still to be told of; returns how many."""
    sql = """
        delete from outbox where id in (
            select o.id from outbox o
            where o.occurred_at < refresher_now() - :days * interval '1 day'
              and not exists (select 1 from outbox_pending p where p.outbox_id = o.id)
              and not exists (select 1 from webhook_delivery d
                              where d.event_id = o.id and d.state < 3)
            limit :limit)
        """
    return run(db, sql, days=days, limit=limit).rowcount


_COLUMNS = ", ".join(f"o.{f.name}" for f in fields(OutboxEntry))
