"""The table `look_sample`: what the whole came to in each slot of 15 seconds, for charts.

Taken by whichever scheduler is first, each look bounded: the newest 20,000 events at most, 5,000
look-ups of their providers, some 1,200 pages of the schedule. Read by `sample_history.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson

from refresher.rules.history import FAILURES
from refresher.rules.standing_word import LATE_SECONDS
from refresher.store.gauges import MOST_COUNTED
from refresher.store.session import Db, first, one, run

SLOT_SECONDS = 15.0
SETTLE_SECONDS = 3.0
"""How long after its end a slot is looked at: what was committed late is in."""
STATEMENT_MILLISECONDS = 1_000
FEW_EVENTS, MOST_EVENTS = 2_000, 20_000
MOST_LOOKED_UP = 5_000
MOST_PAGES = 1_200
DUE_MINUTES = 60
KEEP_WHOLE_DAYS, KEEP_DAYS = 2.0, 30.0
THIN = 20
"""Of what is older than two days one slot of so many is kept."""
_TURN = 0x6C6F6F6B5F617427
"""The number of the advisory lock that makes two schedulers take turns."""
_SLOT = """
    select to_timestamp(floor((extract(epoch from refresher_now())::float8 - :settle) / :slot)
        * :slot - :slot)
    """


@dataclass(frozen=True, slots=True)
class Sample:
    """What one slot came to. `providers`: refreshed, failed, and seconds to answer at p50 and p99."""

    at: datetime
    refreshed_per_second: float
    failed_per_second: float
    lateness_p50_seconds: float | None
    lateness_p99_seconds: float | None
    late: int
    leased: int
    due: list[int] | None
    providers: Mapping[str, list[float | None]]


# A provider is looked up by key, row by row: for a join the planner may read the whole table instead.
# The newest by id are nearly the newest by time; a slot's events are among them unless there are more.
# `is_whole` tells that none is missing.
_EVENTS = """
    with newest as materialized (
        select id, connection_id, kind, occurred_at, lateness_seconds, exchange_seconds, http_status
        from refresh_event order by id desc limit :most
    ), slot as materialized (
        select * from newest where occurred_at >= :since and occurred_at < :until
            and kind = any(cast(:kinds as text[]))
    ), looked_up as (
        select c.provider, s.* from (select * from slot order by id desc limit :looked_up) s
        cross join lateral (
            select provider from connection where id = s.connection_id offset 0) c
    ), by_provider as (
        select provider, count(*) filter (where kind = 'refreshed') as refreshed,
            count(*) filter (where kind <> 'refreshed') as failed,
            percentile_cont(0.5) within group (order by exchange_seconds)
                filter (where http_status is not null) as p50,
            percentile_cont(0.99) within group (order by exchange_seconds)
                filter (where http_status is not null) as p99
        from looked_up group by 1
    )
    select count(*) filter (where kind = 'refreshed') as refreshed,
        count(*) filter (where kind <> 'refreshed') as failed,
        (percentile_cont(0.5) within group (order by lateness_seconds)
            filter (where kind = 'refreshed'))::float8 as p50,
        (percentile_cont(0.99) within group (order by lateness_seconds)
            filter (where kind = 'refreshed'))::float8 as p99,
        (select count(*) < :most or min(occurred_at) < :since from newest) as is_whole,
        extract(epoch from refresher_now() - (select min(occurred_at) from newest))::float8 as span,
        (select jsonb_object_agg(provider, jsonb_build_array(refreshed, failed,
            round(p50::numeric, 4), round(p99::numeric, 4))) from by_provider) as providers
    from slot
    """


@dataclass(frozen=True, slots=True)
class _Events:
    """What the events of a slot come to; the span is that of all that were looked at."""

    refreshed: int
    failed: int
    p50: float | None
    p99: float | None
    is_whole: bool | None
    span: float | None
    providers: Mapping[str, list[float | None]] | None


def take(db: Db) -> Sample | None:
    """Stores what the last whole slot came to; None where it is stored, or another is at it."""
    run(db, f"set local statement_timeout = {STATEMENT_MILLISECONDS}")
    if not one(db, bool, "select pg_try_advisory_xact_lock(:turn)", turn=_TURN):
        return None
    at = one(db, datetime, _SLOT, settle=SETTLE_SECONDS, slot=SLOT_SECONDS)
    if first(db, int, "select 1 from look_sample where at = :at", at=at) is not None:
        return None
    sample = _look(db, at)
    _put(db, sample)
    return sample


def _look(db: Db, at: datetime) -> Sample:
    found = _events(db, at)
    over = SLOT_SECONDS if found.is_whole else max(found.span or 0.0, 1.0)
    attempts = found.refreshed + found.failed
    scale = SLOT_SECONDS / over * max(1.0, attempts / MOST_LOOKED_UP)
    counts = run(db, _COUNTS, most=MOST_COUNTED, late=LATE_SECONDS).one()
    return Sample(
        at=at,
        refreshed_per_second=found.refreshed / over,
        failed_per_second=found.failed / over,
        lateness_p50_seconds=found.p50,
        lateness_p99_seconds=found.p99,
        late=counts.late,
        leased=counts.leased,
        due=None,
        providers={name: _scaled(p, scale) for name, p in (found.providers or {}).items()},
    )


def _events(db: Db, at: datetime) -> _Events:
    """Returns what the slot's events come to.

    They are among the newest 2,000, or 20,000; where even these do not reach back to its beginning, the
    newest 20,000 stand for it, up to now.
    """
    slot = {"since": at, "until": at + timedelta(seconds=SLOT_SECONDS)}
    kinds = ["refreshed", *sorted(FAILURES)]
    for most, times in (
        (FEW_EVENTS, slot),
        (MOST_EVENTS, slot),
        (MOST_EVENTS, {**slot, "until": at + timedelta(days=1)}),
    ):
        found = one(db, _Events, _EVENTS, most=most, kinds=kinds, looked_up=MOST_LOOKED_UP, **times)
        if found.is_whole:
            break
    return found


def _scaled(one_of: list[float | None], scale: float) -> list[float | None]:
    refreshed, failed, *times = one_of
    return [round((refreshed or 0) * scale, 2), round((failed or 0) * scale, 2), *times]


_COUNTS = """
    select (select count(*) from (
            (select 1 from refresh_schedule where state = 0
             and due_at <= refresher_now() - :late * interval '1 second' limit :most)
            union all
            (select 1 from refresh_schedule where state = 1
             and due_at <= refresher_now() - :late * interval '1 second' limit :most)
        ) l) as late,
        (select count(*) from (select 1 from refresh_schedule where state = 1 limit :most) l) as leased
    """
_PAGES = """
    select pg_relation_size('refresh_schedule'::regclass)::float8
        / current_setting('block_size')::float8
    """
# The clock is asked once, and not for each row.
_DUE = """
    select floor(extract(epoch from due_at - cast(:now as timestamptz)) / 60)::int as minute,
        count(*) as rows
    from refresh_schedule tablesample system (cast(:percent as float4))
    where state = 0 and due_at >= :now and due_at < :until
    group by 1
    """


def due_curve(db: Db) -> list[int]:
    """Returns how many idle rows fall due in each of the next 60 minutes.

    Counted in a sample of 1,200 pages and scaled; exact where the table has no more.
    """
    now = one(db, datetime, "select refresher_now()")
    percent = min(100.0, 100.0 * MOST_PAGES / max(1.0, one(db, float, _PAGES)))
    until = now + timedelta(minutes=DUE_MINUTES)
    found = run(db, _DUE, percent=percent, now=now, until=until)
    counts = {row.minute: round(row.rows * 100.0 / percent) for row in found}
    return [counts.get(minute, 0) for minute in range(DUE_MINUTES)]


def add_due(db: Db, sample: Sample) -> None:
    """Adds what falls due to one sample of each minute; the sample stands without it as well."""
    if sample.at.second >= SLOT_SECONDS:
        return
    run(db, f"set local statement_timeout = {STATEMENT_MILLISECONDS}")
    sql = "update look_sample set due = cast(:due as integer[]) where at = :at"
    run(db, sql, at=sample.at, due=due_curve(db))


_PUT = """
    insert into look_sample (at, refreshed_per_second, failed_per_second, lateness_p50_seconds,
        lateness_p99_seconds, late, leased, due, providers)
    values (:at, :refreshed_per_second, :failed_per_second, :lateness_p50_seconds,
        :lateness_p99_seconds, :late, :leased, cast(:due as integer[]), cast(:providers as jsonb))
    on conflict do nothing
    """


def _put(db: Db, sample: Sample) -> None:
    run(db, _PUT, **{**asdict(sample), "providers": orjson.dumps(sample.providers).decode()})


_FORGET = """
    delete from look_sample where at < refresher_now() - :keep * interval '1 day'
       or (at < refresher_now() - :whole * interval '1 day'
           and extract(epoch from at)::bigint % :thin <> 0)
    """


def forget_old(db: Db) -> int:
    """Thins out what is older than two days, and deletes what is older than 30."""
    thin = int(THIN * SLOT_SECONDS)
    return run(db, _FORGET, keep=KEEP_DAYS, whole=KEEP_WHOLE_DAYS, thin=thin).rowcount
