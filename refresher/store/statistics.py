"""For reports and tests: what happened, what lives are left, and what must never stand in the tables.

Reads every event since an instant, or all of them, so it costs as much as happened: for eyes, and for
an operator with a doubt. A probe uses `gauges.py`, whose cost is bounded. The sentences of an oddity
are made in `refresher/testing/history.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.store.session import Db, many, run


@dataclass(frozen=True, slots=True)
class Refreshes:
    """What the events since an instant come to; the percentiles are None when nothing was refreshed.

    `expired_seconds` adds up, over all refreshes, how long each token had been dead when its
    successor came. `kinds` counts every kind of event.
    """

    refreshed: int
    per_second: float
    lateness_p50_seconds: float | None
    lateness_p99_seconds: float | None
    expired_seconds: float
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Lives:
    """How much life the access tokens have left.

    `counts` has one number for each equal part of the span, the shortest lives first; what lives
    longer counts in the last. `expired` tokens stand in none.
    """

    expired: int
    expired_seconds: float
    nearest_expiry_seconds: float | None
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event with the name that people know its connection by."""

    age_seconds: float
    external_id: str
    kind: str
    reason: str | None
    due_in_seconds: float | None


def refreshes_since(db: Db, since: datetime, *, rate_over_seconds: float = 5.0) -> Refreshes:
    """Returns what happened since an instant, and the rate of refreshes in the last seconds."""
    totals = """
        select count(*) as refreshed,
            count(*) filter (where occurred_at > refresher_now() - :over * interval '1 second')
                / cast(:over as float8) as per_second,
            percentile_cont(0.5) within group (order by lateness_seconds) as p50,
            percentile_cont(0.99) within group (order by lateness_seconds) as p99,
            coalesce(sum(expired_seconds), 0) as expired_seconds
        from refresh_event where occurred_at >= :since and kind = 'refreshed'
        """
    row = run(db, totals, since=since, over=rate_over_seconds).one()
    return Refreshes(
        refreshed=row.refreshed,
        per_second=row.per_second,
        lateness_p50_seconds=row.p50,
        lateness_p99_seconds=row.p99,
        expired_seconds=row.expired_seconds,
        kinds=_kinds(db, since),
    )


def _kinds(db: Db, since: datetime) -> dict[str, int]:
    sql = "select kind, count(*) from refresh_event where occurred_at >= :since group by kind"
    return {row[0]: row[1] for row in run(db, sql, since=since)}


def lives(db: Db, *, span_seconds: float, parts: int) -> Lives:
    """Returns how the access tokens' remaining lives are spread over `parts` parts of a span."""
    sql = """
        select width_bucket(left_seconds, 0, :span, :parts) as part, count(*) as tokens,
            min(left_seconds) as least, sum(left_seconds) as total
        from (
            select extract(epoch from expires_at - refresher_now())::float8 as left_seconds
            from connection
            where deleted_at is null and root_id is null and expires_at is not null
        ) c group by 1
        """
    rows = run(db, sql, span=span_seconds, parts=parts).all()
    counts = [0] * parts
    for row in rows:
        if row.part > 0:
            counts[min(row.part, parts) - 1] += row.tokens
    dead = next((row for row in rows if row.part == 0), None)
    return Lives(
        expired=dead.tokens if dead else 0,
        expired_seconds=-dead.total if dead else 0.0,
        nearest_expiry_seconds=min((row.least for row in rows), default=None),
        counts=tuple(counts),
    )


def newest_events(db: Db, *, limit: int) -> list[Happening]:
    """Returns the newest events of all connections, the newest first."""
    sql = """
        select extract(epoch from refresher_now() - e.occurred_at)::float8 as age_seconds,
            c.external_id || case when c.slot = '' then '' else ', ' || c.slot end as external_id,
            e.kind, e.reason,
            extract(epoch from e.next_due_at - e.occurred_at)::float8 as due_in_seconds
        from (select * from refresh_event order by id desc limit :limit) e
        join connection c on c.id = e.connection_id order by e.id desc
        """
    return many(db, Happening, sql, limit=limit)


@dataclass(frozen=True, slots=True)
class Oddity:
    """One connection for which a promise does not hold, and the values that show it."""

    connection_id: UUID
    seen: str


_ODDITIES = {
    "connections without a schedule row": """
        select c.id as connection_id, 'status ' || c.status as seen from connection c
        left join refresh_schedule s on s.connection_id = c.id
        where c.root_id is null and s.connection_id is null
    """,
    "rows without what their state needs": """
        select connection_id, 'state ' || state as seen from refresh_schedule
        where (state = 0 and due_at is null) or (state = 1 and lease_until is null)
           or (state = 2 and parked_reason is null) or state not in (0, 1, 2)
    """,
    "living grants that wait for a reconnect": """
        select c.id as connection_id, 'status ' || c.status || ', parked as ' || s.parked_reason as seen
        from connection c join refresh_schedule s on s.connection_id = c.id
        where c.status = 'active' and s.state = 2 and s.parked_reason = 'reconnect_required'
    """,
    "pairs that replaced a newer one": """
        select connection_id, 'version ' || was || ', then ' || credential_version as seen from (
            select connection_id, credential_version, lag(credential_version) over w as was
            from refresh_event where kind = 'refreshed'
            window w as (partition by connection_id order by id)
        ) e where credential_version <= was
        union all
        select c.id, 'version ' || max(e.credential_version) || ', stored ' || c.credential_version
        from connection c join refresh_event e on e.connection_id = c.id and e.kind = 'refreshed'
        group by c.id having max(e.credential_version) >= c.credential_version
    """,
    "refreshes under a lease that had ended in another": """
        select connection_id, 'lease ' || was || ', then ' || lease_token as seen from (
            select connection_id, lease_token, lag(lease_token) over w as was
            from refresh_event where kind = 'refreshed'
            window w as (partition by connection_id order by id)
        ) e where lease_token <= was
        union all
        select s.connection_id, 'lease ' || max(e.lease_token) || ', stored ' || s.lease_token
        from refresh_schedule s join refresh_event e on e.connection_id = s.connection_id
        group by s.connection_id, s.lease_token having max(e.lease_token) > s.lease_token
    """,
    "rows begun too often without an outcome": """
        select connection_id, count(*) || ' starts without an outcome' as seen from (
            select connection_id, kind, reason,
                count(*) filter (where kind <> 'swept') over (partition by connection_id order by id)
                    as outcomes
            from refresh_event
        ) e where kind = 'swept' and reason = 'outcome unknown'
        group by connection_id, outcomes having count(*) >= :crash_limit
    """,
}


def oddities(db: Db, crash_limit: int) -> dict[str, list[Oddity]]:
    """Returns what must never be and is: connections by the sentence that tells what is wrong."""
    return {told: many(db, Oddity, sql, crash_limit=crash_limit) for told, sql in _ODDITIES.items()}
