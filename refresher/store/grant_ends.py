"""Ends of grants: those that a refusal tells, and those that come on a fixed day.

A grant that ends is told of in one word, in the provider's words, or by an answer that is kept; it is a
part of `settlement.py`. Fixed days stand in the table `grant_end`: a refresh writes there only when the
provider tells an end that nobody watches yet. The stored end is read when its time has come; if it has
moved away meanwhile, the look is put off, and nothing is told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.rules.notices import (
    DAY_SECONDS,
    EXPIRING_DAYS,
    MOVED_SECONDS,
    Kind,
    NewsState,
    expiring,
)  # fmt: skip
from refresher.store import answers, notices, outbox
from refresher.store.outbox import News
from refresher.store.session import Db, many, run

if TYPE_CHECKING:
    from refresher.store.settlement import Settlement

_DEAD = NewsState.RECONNECT_REQUIRED


def is_held(s: Settlement, written: set[UUID]) -> bool:
    """Whether a row waits, as was meant, for its answer to be read."""
    return s.park_reason == ParkReason.UNREAD_ANSWER and s.id in written


def naming_answers(db: Db, todo: list[Settlement]) -> list[Settlement]:
    """Returns the settlements; a grant that ends after an answer that was not read names that."""
    dead = [s.id for s in todo if s.dead]
    kept = answers.unread(db, dead) if dead else {}
    return [_naming(s, kept[s.id]) if s.dead and s.id in kept else s for s in todo]


def _naming(s: Settlement, answer_id: UUID) -> Settlement:
    cause = f"unread_answer {answer_id}"
    words = s.detail or s.reason
    return replace(s, cause=cause, reason=f"{cause}: {words}" if words else cause)


def ended(s: Settlement) -> notices.Change:
    """Returns what is told of a grant that ended."""
    words = {"detail": s.detail} if s.detail else {}
    return notices.connection_is(s.id, _DEAD, cause=s.cause or s.reason, **words)


def end_grants(db: Db, dead: Sequence[Settlement]) -> set[UUID]:
    """Ends the grants whose pair is still the one that was refused; returns whose they were."""
    if not dead:
        return set()
    sql = """
        update connection c set status = 'reconnect_required', status_cause = u.cause,
                                trouble = 'reconnect_required', updated_at = refresher_now()
        from unnest(cast(:ids as uuid[]), cast(:versions as bigint[]), cast(:causes as text[]))
                 u(id, version, cause)
        where c.id = u.id and c.credential_version = u.version
        returning c.id
        """
    return set(
        many(
            db,
            UUID,
            sql,
            ids=[s.id for s in dead],
            versions=[s.row.connection.credential_version for s in dead],
            causes=[s.cause or s.reason for s in dead],
        )
    )


END = "coalesce(c.grant_ends_at, c.refresh_token_expires_at)"
"""The fixed end of a grant: a sliding one beside it moves."""
_WATCH = f"""
    insert into grant_end as g (connection_id, look_at, told_for, told_days)
    select c.id, greatest(refresher_now(), {END} - :first * interval '1 second'),
        {END}, (
            select min(d) from unnest(cast(:days as int[])) d
            where {END} <= refresher_now() + d * interval '1 day 1 minute')
    from connection c
    where c.id = any(cast(:ids as uuid[])) and {END} is not null order by c.id
    on conflict (connection_id) do update set look_at = excluded.look_at,
        told_for = excluded.told_for, told_days = excluded.told_days
    """  # noqa: S608  our own column names
_MOVE = """
    update connection c set grant_ends_at = refresher_now() + u.left_seconds * interval '1 second'
    from unnest(cast(:ids as uuid[]), cast(:versions as bigint[]), cast(:lefts as float8[]))
             u(id, version, left_seconds)
    where c.id = u.id and c.credential_version = u.version
      and (c.grant_ends_at is null or :same <
           abs(extract(epoch from c.grant_ends_at - refresher_now()) - u.left_seconds))
    returning c.id
    """


def move(db: Db, todo: Sequence[Settlement]) -> set[UUID]:
    """Writes ends of grants that answers told, where they are other ones; returns whose."""
    if not todo:
        return set()
    values = {
        "ids": [s.id for s in todo],
        "versions": [s.row.connection.credential_version for s in todo],
        "lefts": [s.new.grant_left_seconds for s in todo if s.new],
    }
    return set(many(db, UUID, _MOVE, **values, same=MOVED_SECONDS))


def watch(db: Db, ids: Sequence[UUID]) -> None:
    """Has the stored ends of these connections watched from now on.

    Nobody is told at once: a grant that lives for a day only is not "about to end" when it begins.
    """
    if ids:
        first = EXPIRING_DAYS[0] * DAY_SECONDS
        run(db, _WATCH, ids=sorted(ids), first=first, days=list(EXPIRING_DAYS))


def look(db: Db, *, fixed: Collection[str], limit: int = 1_000) -> int:
    """Tells of the ends that came near, and notes when to look again; returns how many it looked at.

    `fixed` are the providers whose refresh tokens end on a fixed day.
    """
    sql = f"""
        select g.connection_id, g.told_days, g.told_for, {END} as ends_at,
            extract(epoch from {END} - refresher_now())::float8 as left_seconds,
            (c.deleted_at is null and {END} is not null and (c.grant_ends_at is not null
                or c.provider = any(cast(:fixed as text[])))) as watched,
            (c.status = 'active' and c.paused_at is null and c.disabled_at is null
                and not c.in_between_steps) as cares
        from grant_end g join connection c on c.id = g.connection_id
        where g.look_at <= refresher_now() order by g.look_at, g.connection_id limit :limit
        for update of g skip locked
        """  # noqa: S608  our own column names
    rows = run(db, sql, fixed=list(fixed), limit=limit).mappings().all()
    seen = [_seen(_Watched(**row)) for row in rows]
    outbox.append(db, [done.news for done in seen if done.news])
    _forget(db, [done.id for done in seen if done.again_in_seconds is None])
    _put_off(db, [done for done in seen if done.again_in_seconds is not None])
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Watched:
    connection_id: UUID
    told_days: int | None
    told_for: datetime | None
    ends_at: datetime
    left_seconds: float
    watched: bool
    cares: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    id: UUID
    ends_at: datetime | None
    told_days: int | None = None
    again_in_seconds: float | None = None
    news: News | None = None


def _seen(row: _Watched) -> _Seen:
    if not row.watched:
        return _Seen(row.connection_id, row.ends_at)
    # Another end than the one that notices were given for: they count no more.
    moved = row.told_for is None or abs((row.ends_at - row.told_for).total_seconds()) > DAY_SECONDS
    told = None if moved else row.told_days
    look = expiring(row.left_seconds, told)
    news = None
    if look.tell_days is not None and row.cares:
        facts = {"days_left": look.tell_days, "refresh_token_expires_at": row.ends_at.isoformat()}
        news = News(("connection", str(row.connection_id)), Kind.EXPIRING, facts)
    days = look.tell_days or told
    return _Seen(row.connection_id, row.ends_at, days, look.again_in_seconds, news)


def _forget(db: Db, ids: Sequence[UUID]) -> None:
    if ids:
        sql = "delete from grant_end where connection_id = any(cast(:ids as uuid[]))"
        run(db, sql, ids=list(ids))


def _put_off(db: Db, seen: Sequence[_Seen]) -> None:
    if not seen:
        return
    sql = """
        update grant_end g set look_at = refresher_now() + u.seconds * interval '1 second',
            told_for = u.ends_at, told_days = u.days
        from unnest(cast(:ids as uuid[]), cast(:seconds as float8[]), cast(:ends as timestamptz[]),
                    cast(:days as smallint[])) u(id, seconds, ends_at, days)
        where g.connection_id = u.id
        """
    run(
        db,
        sql,
        ids=[done.id for done in seen],
        seconds=[done.again_in_seconds for done in seen],
        ends=[done.ends_at for done in seen],
        days=[done.told_days for done in seen],
    )
