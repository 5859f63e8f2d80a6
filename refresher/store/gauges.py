"""What the whole deployment's gauges are read from: one set of looks, each bounded.

At ten million rows a scrape must cost no more than at ten thousand: counts stop at a limit, what cannot
be counted is estimated from the planner's statistics, and lives are looked up only where they can be
short: among the rows that are due next, in flight, or in trouble.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.connection import ParkReason
from refresher.store import outbox
from refresher.store.health import MOST_COUNTED, overdue
from refresher.store.workers import LOCK_CLASS

MOST_OPENED = 2_000
"""How many connections of each kind are looked up for the life that their tokens have left."""
STATEMENT_MILLISECONDS = 3_000


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause that is not over; of the sort "silent" it is an open breaker."""

    scope: str
    provider: str
    sort: str
    left_seconds: float


@dataclass(frozen=True, slots=True)
class Gauges:
    """The deployment at one moment.

    `parked` has every reason. `processes` counts by role and whether the liveness lock stands.
    `outbox_seconds` is how long the oldest notification has waited that is to be told, 0 without one.
    """

    idle: int
    leased: int
    parked: Mapping[str, int]
    overdue: int
    oldest_overdue_seconds: float
    expired_tokens: int
    least_life_seconds: float | None
    quarantined: int
    pauses: tuple[Paused, ...]
    processes: Mapping[tuple[str, bool], int] = field(default_factory=dict)
    outbox_seconds: float = 0.0


_SCHEDULE = text(
    """
    select
        (select count(*) from (select 1 from refresh_schedule where state = 0 limit :most) i) as idle,
        (select reltuples::bigint from pg_class
            where oid = to_regclass('refresh_schedule_due_at_idx')) as idle_estimate,
        (select count(*) from (select 1 from refresh_schedule where state = 1 limit :most) l) as leased,
        (select count(*) from (select 1 from quarantine
            where adopted_at is null limit :most) q) as quarantined
    """
)
_PARKED = text(
    """
    select reason, (select count(*) from (select 1 from refresh_schedule
        where state = 2 and parked_reason = reason limit :most) p)
    from unnest(cast(:reasons as text[])) reason
    """
)
_LOOKED_AT = """
    with looked_at as (
        (select connection_id from refresh_schedule where state = 0 order by due_at limit :most)
        union
        (select connection_id from refresh_schedule
         where state = 0 and (attempt > 0 or postponed_by is not null) order by due_at limit :most)
        union
        (select connection_id from refresh_schedule where state = 1 limit :most)
    )
"""
"""The rows whose token may be dead: the first that are due, in trouble, or in flight."""
_LIVES = text(
    f"""
    {_LOOKED_AT}
    select count(*) filter (where c.expires_at <= refresher_now()) as expired,
        extract(epoch from min(c.expires_at) - refresher_now())::float8 as least
    from looked_at l join connection c on c.id = l.connection_id
    """  # noqa: S608  our own names
)
_EXPIRED = text(
    f"""
    {_LOOKED_AT}
    select c.id from looked_at l join connection c on c.id = l.connection_id
    where c.expires_at <= refresher_now() order by c.expires_at, c.id limit :limit
    """  # noqa: S608  our own names
)
_PAUSES = text(
    """
    select scope, provider, sort, extract(epoch from until - refresher_now())::float8 as left_seconds
    from pause where refusals > 0
    """
)
_PROCESSES = text(
    """
    select w.role, l.objid is not null or not cast(:has_lock as boolean)
            and w.seen_at > refresher_now() - interval '1 minute' as alive, count(*)
    from worker w
    left join pg_locks l on l.locktype = 'advisory' and l.classid::bigint = :class
        and l.objid::bigint = w.lock_key and l.granted
        and l.database = (select oid from pg_database where datname = current_database())
    where w.stopped_at is null group by 1, 2
    """
)


# uuid7: the lowest outbox_id of a consumer is what it has to read first.
_OUTBOX = text(
    """
    with since as (
        select o.occurred_at as at from unnest(cast(:consumers as text[])) reader(name)
        cross join lateral (select outbox_id from outbox_pending p where p.consumer = reader.name
                            order by outbox_id limit 1) unread
        join outbox o on o.id = unread.outbox_id
        union all
        (select created_at from mail where state = 0 order by due_at limit :most)
        union all
        (select created_at from mail where state = 1 limit :most)
        union all
        (select created_at from webhook_delivery where state = 0 order by due_at limit :most)
        union all
        (select created_at from webhook_delivery where state = 1 limit :most)
    )
    select greatest(0, coalesce(extract(epoch from refresher_now() - min(at)), 0))::float8 from since
    """
)


def read(db: Db, *, has_lock: bool) -> Gauges:
    """Returns the gauges. `has_lock` tells whether liveness locks are in use.

    Counts of 10,001 mean "more than 10,000", but for idle rows: there the planner's estimate counts.
    """
    db.execute(text(f"set local statement_timeout = {STATEMENT_MILLISECONDS}"))
    row = db.execute(_SCHEDULE, {"most": MOST_COUNTED}).one()
    late = overdue(db)
    lives = db.execute(_LIVES, {"most": MOST_OPENED}).one()
    reasons = {"most": MOST_COUNTED, "reasons": list(ParkReason)}
    return Gauges(
        idle=row.idle if row.idle < MOST_COUNTED else max(row.idle, row.idle_estimate or 0),
        leased=row.leased,
        parked={r[0]: r[1] for r in db.execute(_PARKED, reasons)},
        overdue=late.rows,
        oldest_overdue_seconds=late.oldest_seconds,
        expired_tokens=lives.expired,
        least_life_seconds=lives.least,
        quarantined=row.quarantined,
        pauses=tuple(Paused(**r) for r in db.execute(_PAUSES).mappings()),
        processes=_processes(db, has_lock=has_lock),
        outbox_seconds=outbox_oldest_seconds(db),
    )


def expired(db: Db, *, limit: int) -> list[UUID]:
    """Returns connections whose token is dead now and that are to be refreshed, the longest first."""
    return list(db.execute(_EXPIRED, {"most": MOST_OPENED, "limit": limit}).scalars())


def outbox_oldest_seconds(db: Db) -> float:
    """Returns how long the oldest notification has waited that is on its way to somebody; 0: none is.

    Waiting is what no consumer has read yet, and mails and webhooks that are to be sent, whether they
    came late or are tried again. Not what is meant to wait: for a digest, or for an endpoint that was
    disabled. Of what is due, in flight and unread, the first `MOST_OPENED` each are looked at.
    """
    values = {"most": MOST_OPENED, "consumers": list(outbox.CONSUMERS)}
    return float(db.execute(_OUTBOX, values).scalar_one())


def _processes(db: Db, *, has_lock: bool) -> dict[tuple[str, bool], int]:
    values = {"class": LOCK_CLASS, "has_lock": has_lock}
    return {(role, alive): count for role, alive, count in db.execute(_PROCESSES, values)}
