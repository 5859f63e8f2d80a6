"""The table `webhook_delivery`: one row for each event and endpoint; the only truth about when it goes.

            claim                  settle: it arrived
    idle ──────────────▶ leased ─────────────────────▶ delivered ──┐
     ▲                    │  ├── settle: tried again ─▶ idle (backoff)  replay
     │ sweep, release     │  ├── settle: given up ────▶ failed ─────┤──▶ idle
     └────────────────────┘  └── endpoint disabled ───▶ held        │
     ▲                                                  │ enable    │
     └──────────────────────────────────────────────────┴───────────┘

A message waits while an earlier one about the same subject is open at the same endpoint. Here one is
claimed and begun; `delivery_outcomes.py` writes what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.connection import Sealed

WAITS_SECONDS = 1.0
"""How soon a message looks again whose predecessor is under way: normally that one wakes it."""

PROBE_WAITS_SECONDS = 15.0
"""How soon others look again while one message probes an endpoint that fails: success wakes them."""


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """The right to send one message, named by a lease token that only grows."""

    id: int
    lease_token: int


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
    def claim(self) -> DeliveryClaim:
        """The claim under which it goes."""
        return DeliveryClaim(self.id, self.lease_token)


# One planner at a time: a later event of a connection must not be seen before the earlier one.
_PLANNERS_LOCK = 0x686F6F6B  # "hook" in ASCII
_PLAN = text(
    """
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
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One event as `plan` wants it; `organization_id` is None for what concerns operators only."""

    event_id: UUID
    organization_id: str | None
    kind: str
    subject: str
    sequence: int


def planning(db: Db) -> bool:
    """Takes the right to plan until this transaction ends; False while another has it."""
    statement = text("select pg_try_advisory_xact_lock(:lock)")
    return bool(db.execute(statement, {"lock": _PLANNERS_LOCK}).scalar_one())


def plan(db: Db, events: Sequence[Planned]) -> int:
    """Makes a message of each event for each endpoint that wants it; returns how many are new."""
    if not events:
        return 0
    values = {
        "ids": [e.event_id for e in events],
        "organizations": [e.organization_id for e in events],
        "kinds": [e.kind for e in events],
        "subjects": [e.subject for e in events],
        "sequences": [e.sequence for e in events],
    }
    return db.execute(_PLAN, values).rowcount


# What is due is judged row by row: its endpoint may be disabled (hold it) or paused (to the pause's
# end); an earlier message may be open (look again a little after that one); the endpoint may have
# its hands full (when there will be room, by its usual pace). So each row is touched once a pause.
CLAIM = text(
    """
    with due as materialized (
        select id, endpoint_id, subject, sequence from webhook_delivery
        where state = 0 and due_at <= refresher_now()
        order by due_at limit :limit
        for update skip locked
    ), busy as (
        select endpoint_id, count(*) as n from webhook_delivery where state = 1 group by endpoint_id
    ), judged as (
        select due.id, due.endpoint_id, due.sequence, e.disabled_at is not null as is_disabled,
            e.usual_seconds, e.paused_until, e.failures >= :breaker_failures as fails,
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
    )
    update webhook_delivery d set
        state = case when p.is_disabled then 2 when p.blocked or p.place > p.room then 0 else 1 end,
        due_at = case
            when p.is_disabled then d.due_at
            when p.paused_until > refresher_now()
                then p.paused_until + least(1, p.place * 0.001) * interval '1 second'
            when p.earlier_at is not null then p.earlier_at + :waits * interval '1 second'
            when p.place > p.room and p.fails
                then refresher_now() + :probe_waits * interval '1 second'
            when p.place > p.room then refresher_now() + interval '1 second' * greatest(0.02,
                p.usual_seconds * (p.place - p.room) / cast(:concurrency as int))
            else d.due_at end,
        lease_token = d.lease_token + (not p.blocked and p.place <= p.room)::int,
        lease_until = case when not p.blocked and p.place <= p.room
            then refresher_now() + :lease_seconds * interval '1 second' end,
        holder_id = case when not p.blocked and p.place <= p.room
            then cast(:holder_id as uuid) end
    from placed p where d.id = p.id
    returning d.id, d.lease_token, d.state
    """
)


def claim_due(
    db: Db,
    *,
    limit: int,
    lease_seconds: float,
    holder_id: UUID,
    concurrency: int,
    breaker_failures: int,
) -> tuple[list[DeliveryClaim], int]:
    """Leases due messages that may go, and returns them with how many rows were looked at.

    No endpoint gets more than `concurrency` at a time, and one that fails a single one: who is slow
    or down holds nobody else up.
    """
    values = {
        "limit": limit,
        "lease_seconds": lease_seconds,
        "holder_id": holder_id,
        "concurrency": concurrency,
        "breaker_failures": breaker_failures,
        "waits": WAITS_SECONDS,
        "probe_waits": PROBE_WAITS_SECONDS,
    }
    rows = db.execute(CLAIM, values).all()
    return [DeliveryClaim(row.id, row.lease_token) for row in rows if row.state == 1], len(rows)


def leased_count(db: Db) -> int:
    """Returns how many messages are leased."""
    statement = text("select count(*) from webhook_delivery where state = 1")
    return int(db.execute(statement).scalar_one())


def next_due_in_seconds(db: Db) -> float | None:
    """Returns the seconds until the next idle message is due, None without one."""
    statement = text(
        "select extract(epoch from min(due_at) - refresher_now()) "
        "from webhook_delivery where state = 0"
    )
    seconds = db.execute(statement).scalar_one()
    return None if seconds is None else float(seconds)


def release(db: Db, claims: Sequence[DeliveryClaim]) -> int:
    """Gives claims back that will not be begun: due at once, nothing counted."""
    statement = text(
        """
        update webhook_delivery d set state = 0, lease_until = null, holder_id = null
        from unnest(cast(:ids as bigint[]), cast(:tokens as bigint[])) u(id, token)
        where d.id = u.id and d.lease_token = u.token and d.state + 0 = 1
          and d.begun_token <> d.lease_token
        """
    )
    return db.execute(statement, _arrays(claims)).rowcount


def release_unbegun(db: Db) -> int:
    """Makes every message due that was handed over and not begun: the hints are gone."""
    statement = text(
        "update webhook_delivery set state = 0, lease_until = null, holder_id = null "
        "where state = 1 and begun_token <> lease_token"
    )
    return db.execute(statement).rowcount


def begin(db: Db, claims: Sequence[DeliveryClaim], *, holder_id: UUID) -> list[Begun]:
    """Marks these messages as begun and returns, of those that may be sent, all it takes to do so.

    Two deliveries of one hint cannot both pass, nor can a message whose endpoint was disabled since
    the claim. From here on, "begun and no outcome" means that it may have arrived.
    """
    statement = text(
        """
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
    )
    rows = db.execute(statement, {**_arrays(claims), "holder_id": holder_id}).mappings()
    return [_begun({**row}) for row in rows]


def _begun(row: dict[str, Any]) -> Begun:
    sealed = {k: Sealed(bytes(row[k])) for k in ("secret", "previous_secret") if row[k] is not None}
    return Begun(**{**row, **sealed})


def _arrays(claims: Sequence[DeliveryClaim]) -> dict[str, object]:
    return {"ids": [c.id for c in claims], "tokens": [c.lease_token for c in claims]}
