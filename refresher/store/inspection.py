"""What `refresher doctor` and `refresher top` look at: the server, the work, the newest events.

Reads only, each look bounded: a sick database must still answer. The counts that health pages show
are in `gauges.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg

from refresher.rules.faults import Sort
from refresher.store import gauges, workers
from refresher.store.connecting import shares_sessions
from refresher.store.gauges import MOST_COUNTED, Gauges, Paused
from refresher.store.refusals import as_told
from refresher.store.session import Database, Db, many, one, run
from refresher.store.walks import by_index
from refresher.store.words import PROVIDER
from refresher.store.workers import ProcessSeen


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """What the server says about itself; `now` is its clock at this very moment."""

    version_number: int
    version: str
    database: str
    now: datetime
    isolation: str
    autovacuum: bool
    read_only: bool
    encoding: str


def server(db: Db) -> DatabaseServer:
    """Returns the facts of the server that matter to us."""
    sql = """
        select current_setting('server_version_num')::int as version_number,
            current_setting('server_version') as version, current_database() as database,
            current_setting('server_encoding') as encoding,
            clock_timestamp() as now,
            current_setting('default_transaction_isolation') as isolation,
            current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean
                as autovacuum,
            pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only
        """
    return one(db, DatabaseServer, sql)


def sessions_are_ours(database: Database) -> bool:
    """Whether a session keeps its server process: false behind a pooler in transaction mode."""
    try:
        return not shares_sessions(database.open_plain)
    except psycopg.Error as error:
        raise as_told(error, database.url) from error


def parked_for(db: Db, reason: str) -> Sequence[tuple[str, str, int]]:
    """Returns provider, app and number of the rows that are parked for this reason.

    Each is looked up by its key: for a join the planner may read the whole table.
    """
    sql = """
        select c.provider, c.app_name, count(*) from (
            select connection_id from refresh_schedule
            where state = 2 and parked_reason = :reason limit :most) p
        cross join lateral (
            select provider, app_name from connection where id = p.connection_id offset 0) c
        group by 1, 2 order by 1, 2
        """
    return [(row[0], row[1], row[2]) for row in run(db, sql, reason=reason, most=MOST_COUNTED)]


def parked_by_provider(db: Db, reason: str) -> dict[str, int]:
    """Returns how many of each provider are parked for this reason; a row has its provider itself."""
    sql = f"""
        select {PROVIDER} as name, count(*) from (
            select connection_id, provider from refresh_schedule
            where state = 2 and parked_reason = :reason order by connection_id limit :most) s
        group by 1
        """  # noqa: S608  our own text
    with by_index(db):
        return {row[0]: row[1] for row in run(db, sql, reason=reason, most=MOST_COUNTED)}


@dataclass(frozen=True, slots=True)
class InUse:
    """The providers of living connections, and which day the database's clock has (UTC)."""

    providers: tuple[str, ...]
    today: date


# From one name to the next, each by the index: it costs as many steps as there are names. The order of
# the rest keeps the planner from reading the table for a name that is rare. Where its first 10,001
# connections are all deleted, a name counts as out of use.
_IN_USE = """
    with recursive named as (
        (select c.provider from connection c where true {of} order by c.provider limit 1)
        union all
        select next.provider from named n cross join lateral (
            select c.provider from connection c where c.provider > n.provider {of}
            order by c.provider limit 1) next
    )
    select n.provider from named n where exists (
        select 1 from (select c.deleted_at from connection c where c.provider = n.provider {of}
                       order by c.external_id limit :most) first
        where first.deleted_at is null)
    """
_OF_ALL = _IN_USE.format(of="")
_OF_ONE = _IN_USE.format(of="and c.organization_id = :organization_id")


def in_use(db: Db, organization_id: str | None = None) -> InUse:
    """Returns the providers with a connection that is not deleted, of one organization or of all."""
    sql, of = (_OF_ALL, {}) if organization_id is None else (
        _OF_ONE, {"organization_id": organization_id}
    )  # fmt: skip
    return InUse(tuple(many(db, str, sql, most=MOST_COUNTED, **of)), today(db))


def today(db: Db) -> date:
    """Returns which day the database's clock has (UTC)."""
    return one(db, datetime, "select refresher_now()").astimezone(UTC).date()


MOST_EVENTS = 20_000
MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Recent:
    """What the newest events of the last minute come to.

    `over_seconds` is the time that they span: less than a minute when more than 20,000 came in it.
    The percentiles are None when nothing was refreshed.
    """

    over_seconds: float
    refreshed: int
    failed: int
    lateness_p50_seconds: float | None
    lateness_p99_seconds: float | None

    @property
    def per_second(self) -> float:
        """Refreshes a second."""
        return self.refreshed / max(self.over_seconds, 1.0)


@dataclass(frozen=True, slots=True)
class ProviderNow:
    """A provider with something in flight or a pause; `left_seconds` of the pause may be over."""

    provider: str
    in_flight: int
    breaker: str
    reason: str | None
    left_seconds: float | None


@dataclass(frozen=True, slots=True)
class Activity:
    """Everything at one moment."""

    gauges: Gauges
    recent: Recent
    providers: tuple[ProviderNow, ...]
    processes: tuple[ProcessSeen, ...]


_RECENT = """
    with newest as materialized (
        select kind, occurred_at, lateness_seconds
        from (select * from refresh_event order by id desc limit :most) e
        where occurred_at > refresher_now() - :minute * interval '1 second'
    )
    select count(*) filter (where kind = 'refreshed') as refreshed,
        count(*) filter (where kind in
            ('transient', 'malformed', 'unreadable', 'rate_limited', 'misconfigured',
             'revoked')) as failed,
        (percentile_cont(0.5) within group (order by lateness_seconds)
            filter (where kind = 'refreshed'))::float8 as p50,
        (percentile_cont(0.99) within group (order by lateness_seconds)
            filter (where kind = 'refreshed'))::float8 as p99,
        count(*) as events,
        extract(epoch from refresher_now() - min(occurred_at))::float8 as span
    from newest
    """
_PROVIDERS = f"""
    with flying as (
        select {PROVIDER} as provider, count(*) as in_flight
        from (select connection_id, provider from refresh_schedule where state = 1 limit :most) s
        group by 1
    ), held as (
        select distinct on (provider) provider, scope, sort, reason, extract(epoch from until -
        refresher_now())::float8 as left_seconds from pause where refusals > 0 order by provider, scope
        desc, until desc
    )
    select coalesce(f.provider, h.provider) as provider, coalesce(f.in_flight, 0) as in_flight,
        h.scope, h.sort, h.reason, h.left_seconds
    from flying f full join held h on h.provider = f.provider order by 2 desc, 1
    """  # noqa: S608  our own column names


def activity(db: Db, *, has_lock: bool) -> Activity:
    """Returns what is going on."""
    return Activity(
        gauges=gauges.read(db, has_lock=has_lock),
        recent=recent(db),
        providers=tuple(providers(db)),
        processes=tuple(workers.processes(db)),
    )


def recent(db: Db) -> Recent:
    """Returns what the last minute's events tell, or the newest 20,000 of them."""
    row = run(db, _RECENT, most=MOST_EVENTS, minute=MINUTE_SECONDS).one()
    whole = row.events < MOST_EVENTS
    return Recent(
        over_seconds=MINUTE_SECONDS if whole else row.span,
        refreshed=row.refreshed,
        failed=row.failed,
        lateness_p50_seconds=row.p50,
        lateness_p99_seconds=row.p99,
    )


def breaker_state(pause: Paused) -> str:
    """Returns a pause in one word: open, probing, waiting (rate limit) or refused (the app)."""
    if pause.sort == Sort.REFUSED:
        return "refused"
    if pause.sort == Sort.LIMITED:
        return "waiting"
    return "open" if pause.left_seconds > 0 else "probing"


def providers(db: Db) -> list[ProviderNow]:
    """Returns the providers with something in flight, or a pause."""
    found = run(db, _PROVIDERS, most=MOST_COUNTED).all()
    return [
        ProviderNow(
            provider=row.provider,
            in_flight=row.in_flight,
            breaker="closed"
            if row.scope is None
            else breaker_state(Paused(row.scope, row.provider, row.sort, row.left_seconds)),
            reason=row.reason,
            left_seconds=row.left_seconds,
        )
        for row in found
    ]
