"""Watches a deployment recover: what was in flight at a fault, and when each row had its outcome.

Times are those of the database's events, not of our looking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.chaos.deployment import Deployment
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault's instant in the database's clock, and the rows that were leased then."""

    at: datetime
    ids: list[UUID]
    tokens: list[int]


def moment(deployment: Deployment) -> Moment:
    """Returns now, with what is in flight; call it right after the fault."""
    rows = deployment.rows(
        "select connection_id, lease_token, clock_timestamp() as now from refresh_schedule "
        "where state = 1 union all select null, null, clock_timestamp()"
    )
    held = [row for row in rows if row.connection_id is not None]
    return Moment(rows[-1].now, [row.connection_id for row in held], [r.lease_token for r in held])


_OUTCOMES = """
    select max(first_at) as last_at, count(*) filter (where first_at is null) as missing
    from (
        select (select min(e.occurred_at) from refresh_event e
                where e.connection_id = u.id and e.lease_token >= u.token and e.kind <> 'swept')
            as first_at
        from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[])) u(id, token)
        union all
        select min(occurred_at) from refresh_event
        where kind = 'refreshed' and occurred_at > :since
    ) o
"""


def recover(deployment: Deployment, since: Moment, *, limit_seconds: float = 90.0) -> float:
    """Waits until all that was in flight has an outcome and a refresh has succeeded since.

    Returns how many seconds after the fault the last of these happened.
    """
    seen: list[Any] = []

    def is_over() -> bool:
        row = deployment.rows(_OUTCOMES, ids=since.ids, tokens=since.tokens, since=since.at)[0]
        seen[:] = [row]
        return not row.missing

    wait_until(is_over, limit_seconds, lambda: _stuck(deployment, since, seen))
    return max(0.0, float((seen[0].last_at - since.at).total_seconds()))


def _stuck(deployment: Deployment, since: Moment, seen: Sequence[Any]) -> str:
    rows = deployment.rows(
        "select connection_id, state, lease_token, begun_token, starts, parked_reason, "
        "lease_until - refresher_now() as lease, due_at - refresher_now() as due, "
        "begun_at - refresher_now() as begun, w.stopped_at is not null as stopped "
        "from refresh_schedule s left join worker w on w.id = s.holder_id "
        "where connection_id = any(cast(:ids as uuid[])) and not exists (select 1 from "
        "refresh_event e where e.connection_id = s.connection_id and e.occurred_at > :since)",
        ids=since.ids,
        since=since.at,
    )
    return f"{seen}: {[tuple(row) for row in rows[:3]]}"
