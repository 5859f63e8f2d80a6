"""The table `notice`: how each connection and app stands, and what people were told of it.

`record` is called where a state changes, in that transaction: it tells now, or notes when to look
again, as `rules/notices.py` decides. `look_again` tells what was held back and is still so, and
`find_delayed` finds tokens that expired while their provider is in trouble. A refresh without trouble
does none of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from refresher.rules.notices import (
    NewsState,
    Notice,
    NoticeSubject,
    SubjectScope,
    Tell,
    TellLater,
    ToldBefore,
    delay_cause,
    verdict,
)
from refresher.store import outbox
from refresher.store.outbox import News
from refresher.store.session import Db, many, run


@dataclass(frozen=True, slots=True)
class Change:
    """A connection or an app is in `state` from now on; `facts` go into the notice."""

    subject: NoticeSubject
    state: NewsState
    facts: Mapping[str, object] = field(default_factory=dict)
    proven: bool = True


def connection_is(connection_id: UUID, state: NewsState, **facts: object) -> Change:
    """Returns the change of a connection's state."""
    return Change(("connection", str(connection_id)), state, facts)


def record(db: Db, changes: Sequence[Change]) -> int:
    """Notes how these stand now and tells what is to be told; returns how many notices were written.

    One change for each subject. Connections are locked before their notices, notices in the order of
    their keys, so that two writers cannot deadlock.
    """
    if not changes:
        return 0
    told, consenting = _standings(db, changes), _consenting(db, changes)
    judged = [(c, told[c.subject], _judged(c, told[c.subject], consenting)) for c in changes]
    _update(db, [(change, judgement) for change, _, judgement in judged])
    news = [
        News(change.subject, judgement.kind, _facts(change, before))
        for change, before, judgement in judged
        if isinstance(judgement, Tell)
    ]
    outbox.append(db, news)
    return len(news)


def mark_well(db: Db, ids: Sequence[UUID]) -> int:
    """Takes the mark of trouble from these connections, and tells whom trouble was told."""
    if not ids:
        return 0
    sql = "update connection set trouble = null where id = any(cast(:ids as uuid[])) returning id"
    run(db, sql, ids=sorted(ids))
    return record(db, [connection_is(id_, NewsState.WELL) for id_ in sorted(ids)])


def find_delayed(db: Db, *, limit: int = 1_000) -> int:
    """Marks connections whose token has expired while trouble keeps them waiting; tells of them.

    Returns how many it found. Reads only rows that wait because of trouble.
    """
    sql = """
        with late as materialized (
            select c.id, s.postponed_by, c.expires_at from refresh_schedule s
            join connection c on c.id = s.connection_id
            where s.state = 0 and (s.attempt > 0 or s.postponed_by is not null)
              and c.expires_at <= refresher_now() and c.trouble is null and c.status = 'active'
              and c.deleted_at is null and c.disabled_at is null and c.paused_at is null
              and not c.in_between_steps
            order by c.id limit :limit for no key update of c skip locked
        )
        update connection c set trouble = 'refresh_delayed' from late where c.id = late.id
        returning c.id, late.postponed_by, late.expires_at
        """
    rows = sorted(run(db, sql, limit=limit).all(), key=lambda row: str(row.id))
    changes = [
        connection_is(
            row.id,
            NewsState.REFRESH_DELAYED,
            cause=delay_cause(row.postponed_by),
            expired_at=row.expires_at.isoformat(),
        )
        for row in rows
    ]
    record(db, changes)
    return len(rows)


def find_unread(db: Db, answers: Mapping[UUID, UUID]) -> None:
    """Marks connections whose answer could not be read, by the answer that is kept; tells of them."""
    if not answers:
        return
    ids = sorted(answers)
    sql = "update connection set trouble = 'answer_unread' where id = any(cast(:ids as uuid[]))"
    run(db, sql, ids=ids)
    record(
        db,
        [connection_is(id_, NewsState.ANSWER_UNREAD, answer_id=str(answers[id_])) for id_ in ids],
    )


def find_lost(db: Db, ids: Sequence[UUID]) -> None:
    """Marks connections whose answer is lost for good, and whose request is made no second time."""
    if not ids:
        return
    sql = "update connection set trouble = 'answer_lost' where id = any(cast(:ids as uuid[]))"
    run(db, sql, ids=sorted(ids))
    record(db, [connection_is(id_, NewsState.ANSWER_LOST) for id_ in sorted(ids)])


def look_again(db: Db, *, limit: int = 1_000) -> int:
    """Tells what was held back, and is still so; returns how many it looked at."""
    run(db, _DROP_DELETED)
    sql = """
        select scope, key, state, detail from notice
        where look_at <= refresher_now() order by scope, key limit :limit for update skip locked
        """
    rows = run(db, sql, limit=limit).all()
    record(db, [Change((row.scope, row.key), NewsState(row.state), row.detail) for row in rows])
    return len(rows)


def _standings(db: Db, changes: Sequence[Change]) -> dict[NoticeSubject, ToldBefore]:
    values = {
        "scopes": [c.subject[0] for c in changes],
        "keys": [c.subject[1] for c in changes],
    }
    run(db, _MAKE, **values)
    rows = run(db, _LOCK, **values)
    return {
        (row.scope, row.key): ToldBefore(NewsState(row.told), row.since_trouble, row.since_recovery)
        for row in rows
    }


_MAKE = """
    insert into notice (scope, key)
    select scope, key from unnest(cast(:scopes as text[]), cast(:keys as text[])) u(scope, key)
    order by scope, key on conflict do nothing
    """
_LOCK = """
    select n.scope, n.key, n.told,
        extract(epoch from refresher_now() - n.trouble_told_at)::float8 as since_trouble,
        extract(epoch from refresher_now() - n.recovery_told_at)::float8 as since_recovery
    from unnest(cast(:scopes as text[]), cast(:keys as text[])) u(scope, key)
    join notice n on n.scope = u.scope and n.key = u.key
    order by n.scope, n.key for update of n
    """
_UPDATE = """
    update notice n set state = u.state, detail = cast(u.detail as jsonb),
        look_at = refresher_now() + u.wait * interval '1 second',
        told = case when u.tell then u.state else n.told end,
        trouble_told_at = case when u.tell and u.state <> 'well' then refresher_now()
                               else n.trouble_told_at end,
        recovery_told_at = case when u.tell and u.state = 'well' then refresher_now()
                                else n.recovery_told_at end
    from unnest(cast(:scopes as text[]), cast(:keys as text[]), cast(:states as text[]),
                cast(:details as text[]), cast(:waits as float8[]), cast(:tells as boolean[]))
        u(scope, key, state, detail, wait, tell)
    where n.scope = u.scope and n.key = u.key
    """


_DROP_DELETED = """
    update notice n set look_at = null from connection c
    where n.look_at <= refresher_now() and n.scope = 'connection'
      and c.id = cast(case when n.scope = 'connection' then n.key end as uuid)
      and c.deleted_at is not null
    """


def _update(db: Db, judged: Sequence[tuple[Change, Notice]]) -> None:
    run(
        db,
        _UPDATE,
        scopes=[c.subject[0] for c, _ in judged],
        keys=[c.subject[1] for c, _ in judged],
        states=[c.state.value for c, _ in judged],
        details=[json.dumps(dict(c.facts)) for c, _ in judged],
        waits=[v.seconds if isinstance(v, TellLater) else None for _, v in judged],
        tells=[isinstance(v, Tell) for _, v in judged],
    )


def _judged(change: Change, standing: ToldBefore, consenting: Collection[str]) -> Notice:
    """Returns what is told; while a person consents anew, the old grant's end is held back."""
    scope: SubjectScope = change.subject[0]
    proven = change.proven and change.subject[1] not in consenting
    return verdict(scope, change.state, standing, proven=proven)


def _consenting(db: Db, changes: Sequence[Change]) -> set[str]:
    """Returns the connections whose grant has ended while a consent for them is on its way."""
    ended = [c.subject[1] for c in changes if c.state is NewsState.RECONNECT_REQUIRED]
    if not ended:
        return set()
    sql = """
        select c.id::text from connection c join connect_session x
            on x.connection_id = coalesce(c.slot_of, c.id) and x.ended_at is null
        where c.id = any(cast(:ids as uuid[])) and x.state in ('exchanging', 'held')
        """
    return set(many(db, str, sql, ids=sorted(ended)))


def _facts(change: Change, before: ToldBefore) -> Mapping[str, object]:
    """Returns what a notice adds; a recovery tells from what."""
    return {"was": before.told.value} if change.state is NewsState.WELL else change.facts
