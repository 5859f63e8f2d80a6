"""The table `refresh_schedule`: the only truth about when a connection is refreshed.

                claim                       settle: a fresh token
    idle ──────────────────▶ leased ──────────────────────────────▶ idle (next due)
     ▲                        │  ├── settle: trouble that passes ──▶ idle (backoff)
     │  sweep, release        │  └── settle: guard, dead grant ────▶ parked (reason)
     └────────────────────────┘                                        │
     ▲                                       resume, reconnect          │
     └──────────────────────────────────────────────────────────────────┘

Here rows are claimed; `marking.py` marks them as begun, `reload.py` reads them, `settlement.py` writes
the outcome, `sweep.py` finds what was left behind. (`refresher/scheduler.py` is the process.)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from refresher.rules.connection import Claim
from refresher.store import binary
from refresher.store.binary import bigints, uuids
from refresher.store.db import Db
from refresher.store.events import Event, append
from refresher.store.words import PROVIDER

# A statement that names its rows by id says "state + 0 = 1": otherwise the planner, whose statistics
# say that nothing is leased, reads the whole index of leased rows instead of the few it was given.

# Rows are found by arrays, of which the planner always expects a few values: of a join with `due` it
# expects 500, and would read the whole table up to a few 100,000 rows to save itself the look-ups.
_LEASE = f"""
    update refresh_schedule s
    set state = 1, lease_token = s.lease_token + 1, holder_id = :holder_id,
        claimed_at = refresher_now(),
        lease_until = refresher_now() + :lease_seconds * interval '1 second',
        provider = {PROVIDER}
    {{found}}
    returning s.connection_id, s.lease_token, s.provider, s.due_at
"""  # noqa: S608  our own column names
# The CTE is a fence: a LIMIT in a sub-select may be run again by the join and claim too many.
# By place, not by id: beside a forgotten transaction an id has a handful of dead versions. Somebody
# who changes a row between our snapshot and our lock puts it elsewhere: the next claim takes it. In a
# partitioned table each partition has such a place, and the id leads to the right one.
_BY_PLACE = _LEASE.format(
    found="from unnest(array(select place from due), array(select connection_id from due)) u(place, id)"
    " where s.ctid = u.place and s.connection_id = u.id and s.state + 0 = 0"
)
_DUE = """
    with due as materialized (
        select ctid as place, connection_id from refresh_schedule
        where state = 0 and due_at <= refresher_now()
          and due_at >= coalesce(cast(:since as timestamptz), '-infinity')
        order by due_at limit :limit
        for update skip locked
    )
"""
_BY_ID = _LEASE.format(found="where s.connection_id = any(array(select connection_id from due))")
_THESE = """
    with due as materialized (
        select connection_id from refresh_schedule
        where state = 0 and connection_id = any(cast(:ids as uuid[]))
          and lease_token = coalesce(cast(:seen as bigint), lease_token)
        for update skip locked
    )
"""
CLAIM_DUE = binary.statement(_DUE + _BY_PLACE, planned_once=False)
CLAIM_THESE = binary.statement(_THESE + _BY_ID, planned_once=False)


def claim_due(
    db: Db, *, limit: int, lease_seconds: float, holder_id: UUID, since: datetime | None = None
) -> list[Claim]:
    """Leases up to `limit` due rows, the longest due first, and returns the claims.

    Rows that another scheduler is claiming are passed over. `since` leaves out what was due before
    it: see `rules/limits.py`. Commit at once: neither Redis nor HTTP belongs into this transaction.
    """
    values = {
        "limit": limit,
        "lease_seconds": lease_seconds,
        "holder_id": holder_id,
        "since": since,
    }
    return [Claim(*row) for row in binary.rows(db, CLAIM_DUE, values)]


def claim_these(
    db: Db,
    ids: Sequence[UUID],
    *,
    lease_seconds: float,
    holder_id: UUID,
    seen: int | None = None,
) -> list[Claim]:
    """Leases these rows if they are idle, due or not: the door for "refresh now".

    With `seen`, only while that is still the lease token: who decided on a look at the row does not
    refresh what another has refreshed since.
    """
    values = {
        "ids": list(ids), "lease_seconds": lease_seconds, "holder_id": holder_id, "seen": seen,
    }  # fmt: skip
    return [Claim(*row) for row in binary.rows(db, CLAIM_THESE, values)]


def release(db: Db, claims: Sequence[Claim]) -> int:
    """Gives claims back that could not be handed over: due again, nothing counted."""
    statement = text(
        """
        update refresh_schedule s set state = 0, lease_until = null, holder_id = null
        from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[])) u(id, token)
        where s.connection_id = u.id and s.lease_token = u.token
          and s.state + 0 = 1 and s.begun_token <> s.lease_token
        """
    )
    released: int = db.execute(statement, arrays(claims)).rowcount
    return released


def postpone(db: Db, later: Sequence[tuple[Claim, float]]) -> int:
    """Gives claims back that their provider has no room for now: due again in so many seconds.

    Only the first time in a row is an event: a backlog at a slow provider is moved again and again.
    """
    statement = text(
        """
        update refresh_schedule s set state = 0, lease_until = null, holder_id = null,
            due_at = refresher_now() + u.seconds * interval '1 second', postponed_by = u.rate
        from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[]), cast(:seconds as float8[]),
                    cast(:rates as text[])) u(id, token, seconds, rate)
        join refresh_schedule was on was.connection_id = u.id
        where s.connection_id = u.id and s.lease_token = u.token
          and s.state + 0 = 1 and s.begun_token <> s.lease_token
        returning s.connection_id, s.lease_token, s.claimed_at,
            was.postponed_by is distinct from u.rate as is_first
        """
    )
    values = {
        **arrays([claim for claim, _ in later]),
        "seconds": [s for _, s in later],
        "rates": [f"rate:{claim.provider}" for claim, _ in later],
    }
    moved = db.execute(statement, values).all()
    first = [r for r in moved if r.is_first]
    append(db, [Event(r[0], "postponed", r[1], claimed_at=r[2]) for r in first])
    return len(moved)


def next_due_in_seconds(db: Db, *, since: datetime | None = None) -> float | None:
    """Returns the seconds until the next idle row is due (negative: overdue), None without one.

    Only rows due from `since` on count, as in `claim_due`.
    """
    statement = text(
        "select extract(epoch from min(due_at) - refresher_now()) "
        "from refresh_schedule where state = 0 "
        "and due_at >= coalesce(cast(:since as timestamptz), '-infinity')"
    )
    seconds = db.execute(statement, {"since": since}).scalar_one()
    return None if seconds is None else float(seconds)


def arrays(claims: Sequence[Claim]) -> dict[str, object]:
    """Returns the parameters that name rows by their claims."""
    return {
        "ids": uuids(c.connection_id for c in claims),
        "tokens": bigints(c.lease_token for c in claims),
    }
