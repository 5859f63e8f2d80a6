"""Looks at webhook messages and brings them back: replays, by event, by time, or all that failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from refresher.rules.words import MOST_COUNTED
from refresher.store.counting import Counted
from refresher.store.session import Db, conditions, run
from refresher.store.webhooks import unsent
from refresher.store.words import DELIVERED, FAILED, HELD, IDLE, LEASED

DeliveryState = Literal["waiting", "sending", "held", "delivered", "failed"]
STATES: dict[int, DeliveryState] = {
    IDLE: "waiting",
    LEASED: "sending",
    HELD: "held",
    DELIVERED: "delivered",
    FAILED: "failed",
}


MOST_LOOKED_AT = 10_000


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
    given = {"endpoint_id = :endpoint_id": True, "id < :before": before}
    order = "id desc"
    if state is not None:
        number = _number(state)
        is_unsent = number in {HELD, FAILED}
        given |= {unsent(number) if is_unsent else f"state = {number}": True}
        order = "state desc, id desc" if is_unsent else order
    which = (
        f"select id from webhook_delivery where {conditions(given)} order by {order} limit :limit"  # noqa: S608
    )
    sql = f"{_VIEW} where d.id in ({which}) order by d.id desc"
    return _views(db, sql, endpoint_id=endpoint_id, before=before, limit=limit)


@dataclass(frozen=True, slots=True)
class Looked:
    """A page of messages. `further`: behind this id nobody has looked yet; None: that was all."""

    found: list[DeliveryView]
    further: int | None


def look(db: Db, endpoint_id: UUID, *, state: str | None, before: int | None, limit: int) -> Looked:
    """Returns messages as `deliveries` does, from a bounded look.

    An index has what is held and what failed; for another state, the newest 10,000 messages before
    `before` are looked at.
    """
    if state in {None, "held", "failed"}:
        found = deliveries(db, endpoint_id, state=state, before=before, limit=limit + 1)
        return Looked(found[:limit], found[limit - 1].id if len(found) > limit else None)
    where = conditions({"endpoint_id = :endpoint_id": True, "id < :before": before})
    newest = f"select id, state from webhook_delivery where {where} order by id desc limit :most"  # noqa: S608
    values = {"endpoint_id": endpoint_id, "before": before, "most": MOST_LOOKED_AT}
    sql = f"""
        {_VIEW} where d.id in (select id from ({newest}) n where n.state = {_number(state)})
        order by d.id desc limit :limit
        """  # noqa: S608  our own words and numbers
    found = _views(db, sql, **values, limit=limit + 1)
    if len(found) > limit:
        return Looked(found[:limit], found[limit - 1].id)
    looked, last = run(db, f"select count(*), min(id) from ({newest}) n", **values).one()  # noqa: S608
    return Looked(found, last if looked == MOST_LOOKED_AT else None)


def _number(state: str | None) -> int:
    return next(number for number, word in STATES.items() if word == state)


def _views(db: Db, sql: str, **values: object) -> list[DeliveryView]:
    rows = run(db, sql, **values).mappings()
    return [DeliveryView(**{**row, "state": STATES[row["state"]]}) for row in rows]


_VIEW = """
    select d.id, d.event_id, o.kind, o.connection_id, d.state, d.attempt,
        case when d.state = 0 then d.due_at end as due_at, d.http_status, d.reason,
        d.elapsed_seconds, o.occurred_at, d.ended_at
    from webhook_delivery d join outbox o on o.id = d.event_id
    """


def event_organization(db: Db, event_id: UUID) -> tuple[bool, str | None]:
    """Returns whether there is such an event, and whose it is (None: the operators')."""
    sql = "select organization_id from outbox where id = :id"
    row = run(db, sql, id=event_id).first()
    return (False, None) if row is None else (True, row.organization_id)


def count(db: Db, wanted: Replay) -> Counted:
    """Returns how many messages are described, from a bounded look at them.

    Of failed ones the first 10,001 are looked at, else as many events of the span.
    """
    fits = _fits(wanted)
    # Looked up one by one: a join would rather read all of the table.
    failed = f"""
        select count(*) filter (where {fits}), count(*)
        from (select event_id from webhook_delivery
              where endpoint_id = :endpoint_id and {unsent(FAILED)} order by state, id limit :most) d
        cross join lateral (select * from outbox where id = d.event_id limit 1) o
        """  # noqa: S608  conditions of our own
    of_span = f"""
        select count(*) filter (where d.state in (3, 4)), count(*)
        from (select o.id from outbox o where {fits} order by o.occurred_at limit :most) o
        left join lateral (
            select state from webhook_delivery where event_id = o.id and endpoint_id = :endpoint_id
            limit 1) d on true
        """  # noqa: S608  same
    sql = failed if wanted.only_failed else of_span
    found, looked = run(db, sql, **asdict(wanted), most=MOST_COUNTED).one()
    return Counted(found, looked >= MOST_COUNTED)


def replay(db: Db, wanted: Replay) -> int:
    """Makes messages due again, in their old order; returns how many.

    What is on its way already stays so. An event that the endpoint was not sent, because its filters
    or it itself are newer, is sent as well when it is named.
    """
    values = asdict(wanted)
    if wanted.event_id is not None:
        run(db, _MISSED, **values)
    again = f"""
        update webhook_delivery d set state = 0, due_at = refresher_now(), attempt = 0, starts = 0,
            first_attempt_at = null, ended_at = null
        from outbox o
        where o.id = d.event_id and d.endpoint_id = :endpoint_id
          and (d.state = 4 or d.state = 3 and not :only_failed) and {_fits(wanted)}
        """  # noqa: S608  conditions of our own
    return run(db, again, **values).rowcount


def _fits(wanted: Replay) -> str:
    """Returns the conditions of the events that are meant."""
    given = {
        "o.id = :event_id": wanted.event_id,
        "o.occurred_at >= :since": wanted.since,
        "o.occurred_at < :until": wanted.until,
    }
    return conditions(given)


_MISSED = """
    insert into webhook_delivery (endpoint_id, event_id, subject, sequence, state)
    select e.id, o.id,
        coalesce(o.connection_id::text, o.app_key, o.payload ->> 'webhook_id'), o.sequence, 4
    from webhook_endpoint e, outbox o
    where e.id = :endpoint_id and o.id = :event_id
      and (e.organization_id is null or e.organization_id = o.organization_id)
    on conflict (endpoint_id, event_id) do nothing
    """
