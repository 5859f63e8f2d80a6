"""Writes what came of messages: one transaction for the messages, their endpoints, and who waited.

The endpoints are locked first, in the order of their ids, so that two settlements neither deadlock nor
count the same failures. What a late writer brings, whose lease is another's by now, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.rules.delivery import EndpointHealth
from refresher.store.leases import Lease, arrays
from refresher.store.session import Db, many, run
from refresher.store.words import DELIVERED, FAILED, HELD

IDLE = 0
MOST_WOKEN = 10_000
"""How many messages an endpoint that is well again gets at once; the others come by themselves."""


@dataclass(frozen=True, slots=True)
class MessageResult:
    """What is written of one message; `state` is IDLE (again in `again_in_seconds`) or an end."""

    lease: Lease
    state: int
    again_in_seconds: float | None
    http_status: int | None
    reason: str | None
    elapsed_seconds: float


def lock_endpoints(db: Db, ids: Sequence[UUID]) -> dict[UUID, EndpointHealth]:
    """Locks endpoints until the transaction ends, and returns how each does; removed ones are left."""
    sql = """
        select id, failures, refusals,
            cast(extract(epoch from refresher_now() - failing_since) as float8),
            cast(greatest(0, coalesce(extract(epoch from paused_until - refresher_now()), 0))
                 as float8),
            disabled_reason
        from webhook_endpoint where id = any(cast(:ids as uuid[])) order by id for update
        """
    rows = run(db, sql, ids=sorted(set(ids)))
    return {row.id: EndpointHealth(*row[1:]) for row in rows}


def still_ours(db: Db, leases: Sequence[Lease]) -> dict[int, float]:
    """Returns which messages are still leased under their tokens, with the seconds since they began.

    Locks them.
    """
    sql = """
        select d.id, cast(extract(epoch from refresher_now() - d.begun_at) as float8) as age_seconds
        from webhook_delivery d
        join unnest(cast(:ids as bigint[]), cast(:tokens as bigint[])) u(id, token)
            on d.id = u.id and d.lease_token = u.token
        where d.state + 0 = 1 order by d.id for update of d
        """
    return {row.id: row.age_seconds for row in run(db, sql, **arrays(leases))}


_WRITE = """
    update webhook_delivery d set
        state = u.state, lease_until = null, holder_id = null, starts = 0,
        attempt = d.attempt + 1,
        due_at = case when u.state = 0
            then refresher_now() + u.again_in * interval '1 second' else d.due_at end,
        ended_at = case when u.state > 2 then refresher_now() end,
        http_status = u.http_status, reason = u.reason, elapsed_seconds = u.elapsed
    from unnest(cast(:ids as bigint[]), cast(:tokens as bigint[]), cast(:states as smallint[]),
                cast(:again_ins as float8[]), cast(:statuses as smallint[]),
                cast(:reasons as text[]), cast(:elapsed as float8[]))
             u(id, token, state, again_in, http_status, reason, elapsed)
    where d.id = u.id and d.lease_token = u.token and d.state + 0 = 1
    """
_WAKE_NEXT = """
    update webhook_delivery n set due_at = least(n.due_at, refresher_now())
    from webhook_delivery d
    cross join lateral (
        select x.id from webhook_delivery x
        where x.endpoint_id = d.endpoint_id and x.subject = d.subject
          and x.state < 3 and x.sequence > d.sequence
        order by x.sequence limit 1
    ) following
    where d.id = any(cast(:ids as bigint[])) and n.id = following.id and n.state + 0 = 0
    """


def write(db: Db, outcomes: Sequence[MessageResult]) -> None:
    """Writes outcomes, and makes due what waited for a message that is done with."""
    run(
        db,
        _WRITE,
        **arrays([w.lease for w in outcomes]),
        states=[w.state for w in outcomes],
        again_ins=[w.again_in_seconds for w in outcomes],
        statuses=[w.http_status for w in outcomes],
        reasons=[w.reason for w in outcomes],
        elapsed=[w.elapsed_seconds for w in outcomes],
    )
    done = [w.lease.id for w in outcomes if w.state in {DELIVERED, FAILED}]
    if done:
        run(db, _WAKE_NEXT, ids=done)


def note_health(
    db: Db, endpoint_id: UUID, health: EndpointHealth, delivered_in_seconds: float | None
) -> None:
    """Writes how an endpoint does now, and how long it took where something was delivered."""
    sql = """
        update webhook_endpoint set failures = :failures, refusals = :refusals,
            failing_since = refresher_now() - cast(:failing as float8) * interval '1 second',
            paused_until = refresher_now() + nullif(cast(:pause as float8), 0) * interval '1 second',
            disabled_at = case when cast(:disabled as text) is null then null
                else coalesce(disabled_at, refresher_now()) end,
            disabled_reason = :disabled,
            delivered_at = case when cast(:took as float8) is null then delivered_at
                else refresher_now() end,
            usual_seconds = usual_seconds * 0.8
                + 0.2 * coalesce(cast(:took as float8), usual_seconds)
        where id = :id
        """
    run(
        db,
        sql,
        id=endpoint_id,
        failures=health.failures,
        refusals=health.refusals,
        failing=health.failing_seconds,
        pause=health.pause_left_seconds,
        disabled=health.disabled,
        took=delivered_in_seconds,
    )


def wake(db: Db, endpoint_id: UUID) -> None:
    """Makes due what was put off while an endpoint did not answer: it is well again."""
    _change_waiting(db, endpoint_id, "due_at = refresher_now()", "due_at > refresher_now()")


def hold(db: Db, endpoint_id: UUID) -> None:
    """Keeps the messages of an endpoint that was disabled. Those beyond 10,000 the claim holds."""
    _change_waiting(db, endpoint_id, f"state = {HELD}", "true")


def _change_waiting(db: Db, endpoint_id: UUID, change: str, which: str) -> None:
    sql = f"""
        update webhook_delivery d set {change}
        from (select id from webhook_delivery where endpoint_id = :id and state = 0 and {which}
              order by id limit :limit for update skip locked) waiting
        where d.id = waiting.id
        """  # noqa: S608  our own words
    run(db, sql, id=endpoint_id, limit=MOST_WOKEN)


_SWEEP = """
    with stalled as (
        select d.id, d.begun_token = d.lease_token as begun, d.starts from webhook_delivery d
        where d.state = 1 and (d.lease_until < refresher_now()
            or exists (select 1 from worker w
                       where w.id = d.holder_id and w.stopped_at is not null)
            or (d.begun_token <> d.lease_token
                and d.lease_until - :lease_seconds * interval '1 second'
                    < (select max(stopped_at) from worker)))
        order by d.lease_until limit :limit for update of d skip locked
    )
    update webhook_delivery d set state = 0, lease_until = null, holder_id = null,
        due_at = refresher_now() + interval '1 second' * case when s.begun and s.starts >= 5
            then least(:first_seconds * power(2, least(s.starts - 5, 20)), 3600) else 0 end
    from stalled s where d.id = s.id
    returning s.begun
    """


def sweep(
    db: Db, *, first_seconds: float, lease_seconds: float, limit: int = 500
) -> Sequence[bool]:
    """Makes messages due again whose lease ended, or whose process did, without an outcome.

    So does what was handed over before any process ended, and not begun: the hint may be gone with it.
    Returns of each whether it had begun: then it may have arrived, and goes once more with the same
    id. One that ends process after process goes ever later, from the fifth on.
    """
    return many(
        db, bool, _SWEEP, first_seconds=first_seconds, lease_seconds=lease_seconds, limit=limit
    )


def forget_delivered(db: Db, *, days: float, limit: int = 5_000) -> int:
    """Deletes messages that arrived, or were given up, more than `days` ago; returns how many."""
    sql = """
        delete from webhook_delivery where id in (
            select id from webhook_delivery
            where state > 2 and ended_at < refresher_now() - :days * interval '1 day' limit :limit)
        """
    return run(db, sql, days=days, limit=limit).rowcount
