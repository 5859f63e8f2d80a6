"""The table `webhook_delivery`: one row for each event and endpoint; the only truth about when it goes.

            claim                  settle: it arrived
    idle ──────────────▶ leased ─────────────────────▶ delivered ──┐
     ▲                    │  ├── settle: tried again ─▶ idle (backoff)  replay
     │ sweep, release     │  ├── settle: given up ────▶ failed ─────┤──▶ idle
     └────────────────────┘  └── endpoint disabled ───▶ held        │
     ▲                                                  │ enable    │
     └──────────────────────────────────────────────────┴───────────┘

A message waits while an earlier one about the same subject is open at the same endpoint. Here one is
planned and begun; `delivery_claims.py` claims it, `delivery_outcomes.py` writes what came of it.
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
