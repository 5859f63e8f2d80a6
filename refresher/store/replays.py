"""Looks at webhook messages and brings them back: replays, by event, by time, or all that failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from refresher.store.session import Db, run
from refresher.store.tables.base import IDLE, LEASED
from refresher.store.tables.delivery import DELIVERED, FAILED, HELD

DeliveryState = Literal["waiting", "sending", "held", "delivered", "failed"]
STATES: dict[int, DeliveryState] = {
    IDLE: "waiting",
    LEASED: "sending",
    HELD: "held",
    DELIVERED: "delivered",
    FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One message to one endpoint, as people see it."""

    id: int
    event_id: UUID
    kind: str
    connection_id: UUID | None
    state: DeliveryState
    attempt: int
    due_at: datetime | None
    http_status: int | None
    reason: str | None
    elapsed_seconds: float | None
    occurred_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Replay:
    """Which messages of an endpoint are sent again: all that these, taken together, describe."""

    endpoint_id: UUID
    event_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    only_failed: bool = False


def deliveries(
    db: Db, endpoint_id: UUID, *, state: str | None = None, before: int | None = None, limit: int
) -> list[DeliveryView]:
    """Returns messages to one endpoint, the newest first."""
    numbers: dict[str, int] = {word: number for number, word in STATES.items()}
    sql = """
        select d.id, d.event_id, o.kind, o.connection_id, d.state, d.attempt,
            case when d.state = 0 then d.due_at end as due_at, d.http_status, d.reason,
            d.elapsed_seconds, o.occurred_at, d.ended_at
        from webhook_delivery d join outbox o on o.id = d.event_id
        where d.endpoint_id = :endpoint_id
          and (cast(:state as int) is null or d.state = :state)
          and (cast(:before as bigint) is null or d.id < :before)
        order by d.id desc limit :limit
        """
    rows = run(
        db,
        sql,
        endpoint_id=endpoint_id,
        state=None if state is None else numbers[state],
        before=before,
        limit=limit,
    ).mappings()
    return [DeliveryView(**{**row, "state": STATES[row["state"]]}) for row in rows]


def event_organization(db: Db, event_id: UUID) -> tuple[bool, str | None]:
    """Returns whether there is such an event, and whose it is (None: the operators')."""
    sql = "select organization_id from outbox where id = :id"
    row = run(db, sql, id=event_id).first()
    return (False, None) if row is None else (True, row.organization_id)


def replay(db: Db, wanted: Replay) -> int:
    """Makes messages due again, in their old order; returns how many.

    What is on its way already stays so. An event that the endpoint was not sent, because its filters
    or it itself are newer, is sent as well when it is named.
    """
    values = asdict(wanted)
    if wanted.event_id is not None:
        run(db, _MISSED, **values)
    return run(db, _AGAIN, **values).rowcount


_MISSED = """
    insert into webhook_delivery (endpoint_id, event_id, subject, sequence, state)
    select e.id, o.id,
        coalesce(o.connection_id::text, o.app_key, o.payload ->> 'webhook_id'), o.sequence, 4
    from webhook_endpoint e, outbox o
    where e.id = :endpoint_id and o.id = :event_id
      and (e.organization_id is null or e.organization_id = o.organization_id)
    on conflict (endpoint_id, event_id) do nothing
    """
_AGAIN = """
    update webhook_delivery d set state = 0, due_at = refresher_now(), attempt = 0, starts = 0,
        first_attempt_at = null, ended_at = null
    from outbox o
    where o.id = d.event_id and d.endpoint_id = :endpoint_id
      and (d.state = 4 or d.state = 3 and not :only_failed)
      and (cast(:event_id as uuid) is null or d.event_id = :event_id)
      and (cast(:since as timestamptz) is null or o.occurred_at >= :since)
      and (cast(:until as timestamptz) is null or o.occurred_at < :until)
    """
