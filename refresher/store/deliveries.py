"""The table `webhook_delivery`: one row for each event and endpoint; the only truth about when it goes.

            claim                  settle: it arrived
    idle ──────────────▶ leased ─────────────────────▶ delivered ──┐
     ▲                    │  ├── settle: tried again ─▶ idle (backoff)  replay
     │ sweep, release     │  ├── settle: given up ────▶ failed ─────┤──▶ idle
     └────────────────────┘  └── endpoint disabled ───▶ held        │
     ▲                                                  │ enable    │
     └──────────────────────────────────────────────────┴───────────┘

A message waits while an earlier one about the same subject is open at the same endpoint. No endpoint
gets more than its share at a time, and no organization: whoever has many endpoints that hang holds up
its own messages, and nobody else's. Here one is planned, claimed and begun; what came of it is
written in `delivery_results.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.rules.connection import Sealed
from refresher.store.leases import Claimed, Lease, arrays
from refresher.store.outbox import OutboxEntry
from refresher.store.session import Db, first, one, run

WAITS_SECONDS = 1.0
"""How soon a message looks again whose predecessor is under way: normally that one wakes it."""
PROBE_WAITS_SECONDS = 15.0
"""How soon others look again while one message probes an endpoint that fails: success wakes them."""
SLOW_SECONDS = 2.0
"""An endpoint that usually takes longer for its answer is slow."""
SOONEST_SECONDS = 0.05
"""How soon to look again when there may be more to claim."""
BATCH = 50
"""How many messages are handed over together."""


# One planner at a time: a later event of a connection must not be seen before the earlier one.
_PLANNERS_LOCK = 0x686F6F6B  # "hook" in ASCII
_PLAN = """
    insert into webhook_delivery (endpoint_id, event_id, subject, sequence)
    select e.id, u.id, u.subject, u.sequence
    from unnest(cast(:ids as uuid[]), cast(:organizations as text[]), cast(:kinds as text[]),
                cast(:subjects as text[]), cast(:sequences as bigint[]))
             u(id, organization_id, kind, subject, sequence)
    join webhook_endpoint e on (e.organization_id is null or e.organization_id = u.organization_id)
        and e.events && array[u.kind, split_part(u.kind, '.', 1) || '.*', '*']
    order by u.id
    on conflict (endpoint_id, event_id) do nothing
    """


def planning(db: Db) -> bool:
    """Takes the right to plan until this transaction ends; False while another has it."""
    sql = "select pg_try_advisory_xact_lock(:lock)"
    return one(db, bool, sql, lock=_PLANNERS_LOCK)


def plan(db: Db, entries: Sequence[OutboxEntry]) -> None:
    """Makes a message of each entry for each endpoint that wants it and may know of it."""
    if not entries:
        return
    subjects = [_subject(entry) for entry in entries]
    run(
        db,
        _PLAN,
        ids=[e.id for e in entries],
        organizations=[e.organization_id for e in entries],
        kinds=[e.kind for e in entries],
        subjects=subjects,
        sequences=[e.sequence for e in entries],
    )


def _subject(entry: OutboxEntry) -> str:
    about = ("webhook_id", "session_id")
    named = next((entry.payload[name] for name in about if name in entry.payload), None)
    return str(entry.connection_id or entry.app_key or named)


# What is due is judged row by row: its endpoint may be disabled (hold it) or paused (to the pause's
# end); an earlier message may be open (look again a little after that one); its endpoint or its
# organization may have their hands full (when there will be room, by its usual pace). So each row is
# touched once a pause, and the window of rows that are looked at never stays with one organization. Of
# those that may go, each organization's first goes before anybody's second, counted from what it has
# under way. An operator's endpoint is an organization of its own here.
CLAIM = """
    with due as materialized (
        select id, endpoint_id, subject, sequence, due_at from webhook_delivery
        where state = 0 and due_at <= refresher_now()
        order by due_at limit :window
        for update skip locked
    ), leased as (
        select l.endpoint_id, coalesce(e.organization_id, e.id::text) as owner
        from webhook_delivery l join webhook_endpoint e on e.id = l.endpoint_id where l.state = 1
    ), busy as (
        select endpoint_id, count(*) as n from leased group by endpoint_id
    ), busy_owner as (
        select owner, count(*) as n from leased group by owner
    ), judged as (
        select due.*, coalesce(e.organization_id, e.id::text) as owner,
            e.disabled_at is not null as is_disabled, e.usual_seconds, e.paused_until,
            e.failures >= :breaker_failures as fails,
            e.failures > 0 or e.usual_seconds > :slow_seconds as troubled,
            case when e.failures >= :breaker_failures then 1 else cast(:concurrency as int) end
                - coalesce(busy.n, 0) as room,
            (select greatest(p.due_at, refresher_now()) from webhook_delivery p
             where p.endpoint_id = due.endpoint_id and p.subject = due.subject
               and p.sequence < due.sequence and p.state < 3
             order by p.sequence desc limit 1) as earlier_at
        from due join webhook_endpoint e on e.id = due.endpoint_id
        left join busy on busy.endpoint_id = due.endpoint_id
    ), placed as (
        select *, row_number() over (partition by endpoint_id, blocked order by id) as place
        from (select *, is_disabled or earlier_at is not null
                  or coalesce(paused_until > refresher_now(), false) as blocked
              from judged) j
    ), fitting as (
        select p.*, not p.blocked and p.place <= p.room as fits, coalesce(o.n, 0) as has,
            coalesce(o.n, 0) + row_number() over (
                partition by p.owner, not p.blocked and p.place <= p.room order by p.place, p.id
            ) as turn
        from placed p left join busy_owner o on o.owner = p.owner
    ), taken as (
        select *, fits and turn <= :organization_concurrency and row_number() over (
            partition by fits and turn <= :organization_concurrency order by turn, due_at, id
        ) <= :most as goes
        from fitting
    )
    update webhook_delivery d set
        state = case when t.is_disabled then 2 when t.goes then 1 else 0 end,
        due_at = case
            when t.is_disabled or t.goes then d.due_at
            when t.paused_until > refresher_now()
                then t.paused_until + least(1, t.place * 0.001) * interval '1 second'
            when t.earlier_at is not null then t.earlier_at + :waits * interval '1 second'
            when t.place > t.room and t.fails
                then refresher_now() + :probe_waits * interval '1 second'
            when t.place > t.room then refresher_now() + interval '1 second' * greatest(0.02,
                t.usual_seconds * (t.place - t.room) / cast(:concurrency as int))
            when t.turn > :organization_concurrency
                then refresher_now() + interval '1 second' * greatest(0.02, t.usual_seconds
                    * (t.turn - :organization_concurrency) / cast(:organization_concurrency as int))
            else d.due_at end,
        lease_token = d.lease_token + t.goes::int,
        lease_until = case when t.goes then refresher_now() + :lease_seconds * interval '1 second' end,
        holder_id = case when t.goes then cast(:holder_id as uuid) end
    from taken t where d.id = t.id
    returning d.id, d.lease_token, d.state, t.turn, case when t.troubled then t.owner end as lane
    """


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many rows are looked at, and how many messages may be under way: in all, to one, of one."""

    window: int
    in_flight: int
    concurrency: int
    organization_concurrency: int
    breaker_failures: int


def claim(db: Db, bounds: Bounds, *, lease_seconds: float, holder_id: UUID) -> Claimed:
    """Leases due messages that may go, by turns of the organizations.

    No endpoint gets more than `concurrency` at a time, one that fails a single one, and all of an
    organization no more than `organization_concurrency`: who is slow or down holds nobody else up.
    Endpoints in trouble are handed over apart, by organization, all others together.
    """
    leased = one(db, int, "select count(*) from webhook_delivery where state = 1")
    room = bounds.in_flight - leased
    if room <= 0:
        return Claimed((), SOONEST_SECONDS)
    rows = run(
        db,
        CLAIM,
        **asdict(bounds),
        most=min(room, bounds.window),
        lease_seconds=lease_seconds,
        holder_id=holder_id,
        waits=WAITS_SECONDS,
        probe_waits=PROBE_WAITS_SECONDS,
        slow_seconds=SLOW_SECONDS,
    ).all()
    lanes: dict[str | None, list[Lease]] = {}
    for row in sorted((r for r in rows if r.state == 1), key=lambda r: (r.turn, r.id)):
        lanes.setdefault(row.lane, []).append(Lease(row.id, row.lease_token))
    batches = [lane[i : i + BATCH] for lane in lanes.values() for i in range(0, len(lane), BATCH)]
    return Claimed(batches, SOONEST_SECONDS if rows else _next_due_in_seconds(db))


def _next_due_in_seconds(db: Db) -> float | None:
    sql = (
        "select cast(extract(epoch from min(due_at) - refresher_now()) as float8) "
        "from webhook_delivery where state = 0"
    )
    return first(db, float, sql)


@dataclass(frozen=True, slots=True)
class Begun:
    """A message that may leave now: where to, what, and what its history is. Secrets are sealed."""

    id: int
    lease_token: int
    endpoint_id: UUID
    url: str
    secret: Sealed
    previous_secret: Sealed | None
    event_id: UUID
    kind: str
    occurred_at: datetime
    payload: dict[str, object]
    attempt: int
    since_first_seconds: float
    begun_at: datetime

    @property
    def lease(self) -> Lease:
        """The lease under which it goes."""
        return Lease(self.id, self.lease_token)


def begin(db: Db, leases: Sequence[Lease], *, holder_id: UUID) -> list[Begun]:
    """Marks these messages as begun and returns, of those that may be sent, all it takes to do so.

    Two deliveries of one hint cannot both pass, nor can a message whose endpoint was disabled since
    the claim. From here on, "begun and no outcome" means that it may have arrived.
    """
    sql = """
        update webhook_delivery d
        set begun_token = d.lease_token, begun_at = refresher_now(), holder_id = :holder_id,
            starts = least(d.starts + 1, 32000),
            first_attempt_at = coalesce(d.first_attempt_at, refresher_now())
        from unnest(cast(:ids as bigint[]), cast(:tokens as bigint[])) u(id, token),
             webhook_endpoint e, outbox o
        where d.id = u.id and d.lease_token = u.token and d.state + 0 = 1
          and d.begun_token <> d.lease_token
          and e.id = d.endpoint_id and e.disabled_at is null and o.id = d.event_id
        returning d.id, d.lease_token, d.endpoint_id, e.url, e.secret,
            case when e.previous_secret_until > refresher_now() then e.previous_secret end
                as previous_secret,
            d.event_id, o.kind, o.occurred_at, o.payload, d.attempt,
            cast(extract(epoch from refresher_now() - d.first_attempt_at) as float8)
                as since_first_seconds,
            d.begun_at
        """
    rows = run(db, sql, **arrays(leases), holder_id=holder_id).mappings()
    return [_begun({**row}) for row in rows]


def _begun(row: dict[str, Any]) -> Begun:
    sealed = {k: Sealed(bytes(row[k])) for k in ("secret", "previous_secret") if row[k] is not None}
    return Begun(**{**row, **sealed})
