"""Bounded counts of the whole deployment: for health pages, metrics, `top` and `doctor`.

At ten million rows a look must cost no more than at ten thousand: counts stop at a limit, what cannot
be counted is estimated from the planner's statistics, and lives are looked up only where they can be
short: among the rows that are due next, in flight, or in trouble.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refresher.rules import words
from refresher.rules.connection import ParkReason
from refresher.store import outbox, token_lives
from refresher.store.session import Db, one, run
from refresher.store.token_lives import MOST_OPENED, EndsNext
from refresher.store.workers import WITH_LOCK

MOST_COUNTED = words.MOST_COUNTED


@dataclass(frozen=True, slots=True)
class ScheduleHealth:
    """The schedule at a glance. A count of 10,001 means "more than 10,000"."""

    oldest_overdue_seconds: float
    overdue: int
    idle: int
    leased: int
    parked: dict[str, int]


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many rows are past their due time, and by how long the first one is."""

    rows: int
    oldest_seconds: float


# A row that was claimed is as late as before: without a worker, all that is due is leased again and
# again. In the order of due_at the idle ones cost what is counted; leased ones are few by setting.
_OVERDUE = """
    select count(*) as rows,
        coalesce(extract(epoch from refresher_now() - min(due_at)), 0)::float8 as oldest_seconds
    from (
        (select due_at from refresh_schedule
         where state = 0 and due_at <= refresher_now() order by due_at limit :most)
        union all
        (select due_at from refresh_schedule
         where state = 1 and due_at <= refresher_now() limit :most)
    ) late
    """


def overdue(db: Db) -> Overdue:
    """Returns what is late, whether it waits to be claimed or is in somebody's hands."""
    row = run(db, _OVERDUE, most=MOST_COUNTED).one()
    return Overdue(min(row.rows, MOST_COUNTED), row.oldest_seconds)


_WRITES = (
    "update connection set updated_at = updated_at where false",
    "update refresh_schedule set attempt = attempt where false",
    "insert into refresh_event (kind) select null::text where false",
)


def try_writes(db: Db) -> None:
    """Tries the writes of a refresh on no row; raises `DatabaseRefusesWrites` in the end.

    A server that is read-only and a permission that is gone show. A full disk shows only by what it
    refuses: the spool tells.
    """
    for statement in _WRITES:
        run(db, statement)


def schedule(db: Db) -> ScheduleHealth:
    """Returns the state of the schedule."""
    late = overdue(db)
    parked = run(
        db,
        "select parked_reason, count(*) from (select parked_reason from refresh_schedule "
        "where state = 2 limit :most) p group by parked_reason",
        most=MOST_COUNTED,
    )
    return ScheduleHealth(
        oldest_overdue_seconds=late.oldest_seconds,
        overdue=late.rows,
        idle=_count(db, 0),
        leased=_count(db, 1),
        parked={row[0]: row[1] for row in parked},
    )


@dataclass(frozen=True, slots=True)
class FlowHealth:
    """What one flow of notifications has to do. A count of 10,001 means "more than 10,000".

    `unread` entries of the outbox are new to it, `waiting` messages are to be sent or under way.
    """

    unread: int
    waiting: int
    failed: int


_UNREAD = """
    (select count(*) from (select 1 from outbox_pending where consumer = :consumer limit :most) u)
        as unread
"""
_MAILS = f"""
    select {_UNREAD},
        (select count(*) from (select 1 from mail where state = 0 limit :most) w)
        + (select count(*) from (select 1 from mail where state = 1 limit :most) l) as waiting,
        (select count(*) from (select 1 from mail where state = 3 limit :most) f) as failed
    """  # noqa: S608  our own text
# Those that failed have no index of their own: they are looked for among the newest that ended.
_WEBHOOKS = f"""
    select {_UNREAD},
        (select count(*) from (select 1 from webhook_delivery where state = 0 limit :most) w)
        + (select count(*) from (select 1 from webhook_delivery where state = 1 limit :most) l)
            as waiting,
        (select count(*) filter (where state = 4) from (select state from webhook_delivery
            where state > 2 order by ended_at desc limit :most) e) as failed
    """  # noqa: S608  our own text


def mail_flow(db: Db) -> FlowHealth:
    """Returns how the flow of mails stands."""
    return _told(db, _MAILS, "mail")


def webhook_flow(db: Db) -> FlowHealth:
    """Returns how the flow of webhooks stands; `failed` are of the newest 10,001 that ended."""
    return _told(db, _WEBHOOKS, "webhook")


def _told(db: Db, sql: str, consumer: str) -> FlowHealth:
    row = run(db, sql, consumer=consumer, most=MOST_COUNTED).one()
    return FlowHealth(row.unread, min(row.waiting, MOST_COUNTED), row.failed)


def _count(db: Db, state: int) -> int:
    sql = (
        f"select count(*) from (select 1 from refresh_schedule where state = {state} "  # noqa: S608
        "limit :most) s"
    )
    return one(db, int, sql, most=MOST_COUNTED)


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
    Of the expired tokens, `ended_idle` are refreshed by nobody at this moment; `ends_next` is the
    living one that ends first.
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
    ended_idle: int = 0
    ends_next: EndsNext | None = None


_SCHEDULE = """
    select
        (select count(*) from (select 1 from refresh_schedule where state = 0 limit :most) i) as idle,
        (select reltuples::bigint from pg_class
            where oid = to_regclass('refresh_schedule_due_at_idx')) as idle_estimate,
        (select count(*) from (select 1 from refresh_schedule where state = 1 limit :most) l) as leased,
        (select count(*) from (select 1 from quarantine
            where adopted_at is null limit :most) q) as quarantined
    """
_PARKED = """
    select reason, (select count(*) from (select 1 from refresh_schedule
        where state = 2 and parked_reason = reason limit :most) p)
    from unnest(cast(:reasons as text[])) reason
    """
_PAUSES = """
    select scope, provider, sort, extract(epoch from until - refresher_now())::float8 as left_seconds
    from pause where refusals > 0
    """
_PROCESSES = f"""
    select w.role, l.objid is not null or not cast(:has_lock as boolean)
            and w.seen_at > refresher_now() - interval '1 minute' as alive, count(*)
    from {WITH_LOCK}
    where w.stopped_at is null group by 1, 2
    """  # noqa: S608  our own names


# uuid7: the lowest outbox_id of a consumer is what it has to read first.
_OUTBOX = """
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


def read(db: Db, *, has_lock: bool) -> Gauges:
    """Returns the gauges. `has_lock` tells whether liveness locks are in use.

    Counts of 10,001 mean "more than 10,000", but for idle rows: there the planner's estimate counts.
    """
    run(db, f"set local statement_timeout = {STATEMENT_MILLISECONDS}")
    row = run(db, _SCHEDULE, most=MOST_COUNTED).one()
    late = overdue(db)
    lives = token_lives.nearest(db)
    return Gauges(
        idle=row.idle if row.idle < MOST_COUNTED else max(row.idle, row.idle_estimate or 0),
        leased=row.leased,
        parked={r[0]: r[1] for r in run(db, _PARKED, most=MOST_COUNTED, reasons=list(ParkReason))},
        overdue=late.rows,
        oldest_overdue_seconds=late.oldest_seconds,
        expired_tokens=lives.expired,
        least_life_seconds=lives.least_seconds,
        quarantined=row.quarantined,
        pauses=tuple(Paused(**r) for r in run(db, _PAUSES).mappings()),
        processes=_processes(db, has_lock=has_lock),
        outbox_seconds=outbox_oldest_seconds(db),
        ended_idle=lives.ended_idle,
        ends_next=lives.next,
    )


def outbox_oldest_seconds(db: Db) -> float:
    """Returns how long the oldest notification has waited that is on its way to somebody; 0: none is.

    Waiting is what no consumer has read yet, and mails and webhooks that are to be sent, whether they
    came late or are tried again. Not what is meant to wait: for a digest, or for an endpoint that was
    disabled. Of what is due, in flight and unread, the first `MOST_OPENED` each are looked at.
    """
    return one(db, float, _OUTBOX, most=MOST_OPENED, consumers=list(outbox.CONSUMERS))


def _processes(db: Db, *, has_lock: bool) -> dict[tuple[str, bool], int]:
    return {(role, alive): count for role, alive, count in run(db, _PROCESSES, has_lock=has_lock)}
