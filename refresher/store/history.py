"""Looks for what must never stand in the tables: rows that fell out, pairs that went backwards.

Reads every event, so it is for tests and for an operator with a doubt, not for a probe. The sentences
are made in `refresher/testing/history.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.store.session import Db, run


@dataclass(frozen=True, slots=True)
class Oddity:
    """One connection for which a promise does not hold, and the values that show it."""

    connection_id: UUID
    seen: str


_UNSCHEDULED = """
    select c.id, 'status ' || c.status as seen from connection c
    left join refresh_schedule s on s.connection_id = c.id
    where c.root_id is null and s.connection_id is null
"""
_PARKED_WITHOUT_NEED = """
    select c.id, 'status ' || c.status || ', parked as ' || s.parked_reason as seen
    from connection c join refresh_schedule s on s.connection_id = c.id
    where c.status = 'active' and s.state = 2 and s.parked_reason = 'reconnect_required'
"""
_ROW_WITHOUT_ITS_PART = """
    select connection_id, 'state ' || state as seen from refresh_schedule
    where (state = 0 and due_at is null) or (state = 1 and lease_until is null)
       or (state = 2 and parked_reason is null) or state not in (0, 1, 2)
"""
_VERSION_WENT_BACK = """
    select connection_id, 'version ' || was || ', then ' || credential_version as seen from (
        select connection_id, credential_version, lag(credential_version) over w as was
        from refresh_event where kind = 'refreshed' window w as (partition by connection_id order by id)
    ) e where credential_version <= was
    union all
    select c.id, 'version ' || max(e.credential_version) || ', stored ' || c.credential_version
    from connection c join refresh_event e on e.connection_id = c.id and e.kind = 'refreshed'
    group by c.id having max(e.credential_version) >= c.credential_version
"""
_LEASE_WENT_BACK = """
    select connection_id, 'lease ' || was || ', then ' || lease_token as seen from (
        select connection_id, lease_token, lag(lease_token) over w as was
        from refresh_event where kind = 'refreshed' window w as (partition by connection_id order by id)
    ) e where lease_token <= was
    union all
    select s.connection_id, 'lease ' || max(e.lease_token) || ', stored ' || s.lease_token
    from refresh_schedule s join refresh_event e on e.connection_id = s.connection_id
    group by s.connection_id, s.lease_token having max(e.lease_token) > s.lease_token
"""
_TOO_MANY_STARTS = """
    select connection_id, count(*) || ' starts without an outcome' as seen from (
        select connection_id, kind, reason,
            count(*) filter (where kind <> 'swept') over (partition by connection_id order by id)
                as outcomes
        from refresh_event
    ) e where kind = 'swept' and reason = 'outcome unknown'
    group by connection_id, outcomes having count(*) >= :crash_limit
"""


def unscheduled(db: Db) -> list[Oddity]:
    """Returns connections with a grant of their own and no schedule row."""
    return _oddities(db, _UNSCHEDULED)


def parked_without_need(db: Db) -> list[Oddity]:
    """Returns connections with a living grant whose row waits for a reconnect."""
    return _oddities(db, _PARKED_WITHOUT_NEED)


def incomplete(db: Db) -> list[Oddity]:
    """Returns idle rows without a due time, leased ones without an end, parked without a reason."""
    return _oddities(db, _ROW_WITHOUT_ITS_PART)


def versions_backwards(db: Db) -> list[Oddity]:
    """Returns connections of which two refreshes replaced the same pair, or an older one."""
    return _oddities(db, _VERSION_WENT_BACK)


def leases_backwards(db: Db) -> list[Oddity]:
    """Returns connections that were refreshed twice under one lease, or under an older one."""
    return _oddities(db, _LEASE_WENT_BACK)


def endless_starts(db: Db, crash_limit: int) -> list[Oddity]:
    """Returns connections that were begun `crash_limit` times without an outcome, and not parked."""
    return _oddities(db, _TOO_MANY_STARTS, crash_limit=crash_limit)


def _oddities(db: Db, sql: str, **values: object) -> list[Oddity]:
    rows: Sequence[tuple[UUID, str]] = run(db, sql, **values).all()
    return [Oddity(row[0], row[1]) for row in rows]
