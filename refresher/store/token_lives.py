"""The access tokens that may be dead, or that end first: looked up only where lives can be short.

That is among the rows that are due next, in flight, or in trouble; so a look costs no more at ten
million rows than at ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.store.session import Db, many, run

MOST_OPENED = 2_000
"""How many connections of each kind are looked up for the life that their tokens have left."""


@dataclass(frozen=True, slots=True)
class EndsNext:
    """A living access token, when it ends, and whether its row is due before that."""

    provider: str
    ends_at: datetime
    is_due_before: bool


@dataclass(frozen=True, slots=True)
class Nearest:
    """Of what was looked at: dead tokens, those of idle rows among them, and the least life (s)."""

    expired: int
    ended_idle: int
    least_seconds: float | None
    next: EndsNext | None


_LOOKED_AT = """
    with looked_at as (
        (select connection_id, state, due_at from refresh_schedule where state = 0
         order by due_at limit :most)
        union
        (select connection_id, state, due_at from refresh_schedule
         where state = 0 and (attempt > 0 or postponed_by is not null) order by due_at limit :most)
        union
        (select connection_id, state, due_at from refresh_schedule where state = 1 limit :most)
    )
"""
"""The rows whose token may be dead: the first that are due, in trouble, or in flight."""
# Looked up one by one: for a join the planner may read the table whole.
_CONNECTION = "select id, provider, expires_at from connection where id = l.connection_id limit 1"
_LIVES = f"""
    {_LOOKED_AT}, lives as (
        select l.state, l.due_at, c.expires_at, c.provider
        from looked_at l cross join lateral ({_CONNECTION}) c
    )
    select whole.*, next.provider, next.ends_at, next.is_due_before
    from (
        select count(*) filter (where expires_at <= refresher_now()) as expired,
            count(*) filter (where expires_at <= refresher_now() and state = 0) as ended_idle,
            extract(epoch from min(expires_at) - refresher_now())::float8 as least
        from lives
    ) whole left join (
        select provider, expires_at as ends_at, due_at < expires_at as is_due_before
        from lives where expires_at > refresher_now() order by expires_at limit 1
    ) next on true
    """  # noqa: S608  our own names
_EXPIRED = f"""
    {_LOOKED_AT}
    select c.id from looked_at l cross join lateral ({_CONNECTION}) c
    where c.expires_at <= refresher_now() order by c.expires_at, c.id limit :limit
    """  # noqa: S608  our own names


def nearest(db: Db) -> Nearest:
    """Returns which tokens are dead, and which ends first."""
    row = run(db, _LIVES, most=MOST_OPENED).one()
    ends = None
    if row.ends_at is not None:
        ends = EndsNext(row.provider, row.ends_at, row.is_due_before)
    return Nearest(row.expired, row.ended_idle, row.least, ends)


def expired(db: Db, *, limit: int) -> list[UUID]:
    """Returns connections whose token is dead now and that are to be refreshed, the longest first."""
    return many(db, UUID, _EXPIRED, most=MOST_OPENED, limit=limit)
