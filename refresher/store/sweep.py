"""The reconciler: finds leases that ended without an outcome, and makes their rows due again.

Two questions decide. Was the refresh begun? If not, nothing left the house. If so, its outcome is
unknown, and the same refresh token is presented again at once, inside the grace that providers give.
Does the holder live? A dead one's rows do not wait for the lease; a frozen one's wait for the attempt
limit, since its request may still be under way. Guarded single statements: no read-then-act.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.store import notices
from refresher.store.events import Event, append
from refresher.store.session import Db, run

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows were made due: before a begin, after one (outcome unknown), or parked."""

    unbegun: int = 0
    unknown: int = 0
    parked: int = 0

    @property
    def total(self) -> int:
        """All rows the sweep touched."""
        return self.unbegun + self.unknown + self.parked


_SWEEP = """
    with stalled as (
        select connection_id, begun_token = lease_token as begun, begun_at, starts, lease_until
        from refresh_schedule
        where state = 1 and (
            (lease_until < refresher_now()
                and (begun_token <> lease_token or holder_id is null
                     or not (holder_id = any(cast(:alive as uuid[])))
                     or begun_at < refresher_now() - :attempt_timeout_seconds * interval '1 second'))
            or holder_id = any(cast(:dead as uuid[])))
          and connection_id <> all(cast(:spooled as uuid[]))
        order by lease_until limit :limit
        for update skip locked
    )
    update refresh_schedule s set
        state = case when stalled.begun and stalled.starts >= :crash_limit then 2 else 0 end,
        parked_reason = case when stalled.begun and stalled.starts >= :crash_limit
                             then 'crash_loop' end,
        due_at = case when stalled.begun then refresher_now() else s.due_at end,
        unknown_outcomes = s.unknown_outcomes + stalled.begun::int,
        lease_until = null, holder_id = null, begun_token = 0, begun_at = null
    from stalled where s.connection_id = stalled.connection_id
    returning s.connection_id, s.lease_token, stalled.begun, s.state, s.attempt, s.claimed_at,
        s.provider, stalled.lease_until, case when stalled.begun then stalled.begun_at end as begun_at
    """


def sweep(
    db: Db,
    *,
    dead: Collection[UUID],
    alive: Collection[UUID],
    attempt_timeout_seconds: float,
    crash_limit: int,
    spooled: Collection[UUID] = (),
    never_again: Callable[[str], bool] = lambda _provider: False,
) -> Swept:
    """Makes stalled rows due again, at most 500 at once, and records each.

    But for those in `spooled`: their new pairs are known, and their stored tokens are spent.

    A begun row of a provider to which nothing is sent a second time (`never_again`) is parked instead.
    `dead` and `alive` are holders whose liveness is known; for any other only the lease counts.
    """
    rows = run(
        db,
        _SWEEP,
        dead=list(dead),
        alive=list(alive),
        attempt_timeout_seconds=attempt_timeout_seconds,
        crash_limit=crash_limit,
        spooled=list(spooled),
        limit=MOST_AT_ONCE,
    ).all()
    again = [row for row in rows if row.begun and row.state == 0]
    lost = {row.connection_id for row in again if never_again(row.provider or "")}
    _park_lost(db, lost)
    append(db, [_event(row, lost) for row in rows])
    return Swept(
        unbegun=sum(not row.begun for row in rows),
        unknown=len(again) - len(lost),
        parked=sum(row.state == 2 for row in rows) + len(lost),
    )


def _park_lost(db: Db, lost: Collection[UUID]) -> None:
    if not lost:
        return
    sql = """
        update refresh_schedule set state = 2, parked_reason = :reason
        where connection_id = any(cast(:ids as uuid[]))
        """
    run(db, sql, ids=sorted(lost), reason=ParkReason.LOST_ANSWER.value)
    notices.find_lost(db, sorted(lost))


def release_unbegun(db: Db, *, holder_id: UUID | None = None) -> int:
    """Makes every row due that was handed over (by `holder_id`) and not begun; returns how many.

    For when the messages are gone: Redis lost its data, or a process ended with some in its memory.
    One that was not lost finds its claim stale and does nothing.
    """
    sql = """
        with lost as (
            select connection_id, lease_until from refresh_schedule
            where state = 1 and begun_token <> lease_token
              and (cast(:holder_id as uuid) is null or holder_id = :holder_id)
            order by connection_id for update
        )
        update refresh_schedule s set state = 0, lease_until = null, holder_id = null
        from lost where s.connection_id = lost.connection_id
        returning s.connection_id, s.lease_token, s.attempt, s.claimed_at, lost.lease_until
        """
    released = run(db, sql, holder_id=holder_id).all()
    append(
        db,
        [
            Event(r[0], "released", r[1], attempt=r[2], claimed_at=r[3], lease_until=r[4])
            for r in released
        ],
    )
    return len(released)


def _event(row: Any, lost: Collection[UUID]) -> Event:
    if row.connection_id in lost:
        kind, reason = "parked", ParkReason.LOST_ANSWER.value
    elif row.state == 0:
        kind, reason = "swept", "outcome unknown" if row.begun else "never begun"
    else:
        kind, reason = "parked", ParkReason.CRASH_LOOP.value
    return Event(
        connection_id=row.connection_id,
        kind=kind,
        lease_token=row.lease_token,
        attempt=row.attempt,
        reason=reason,
        claimed_at=row.claimed_at,
        begun_at=row.begun_at,
        lease_until=row.lease_until,
    )
