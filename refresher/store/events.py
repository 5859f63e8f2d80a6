"""The table `refresh_event`: an append-only record of what happened to each connection, and why.

One row an outcome: the steps before it are instants in it (`rules/history.py` takes them apart), and
with it stands what was true afterwards, read from the rows that the same transaction has just written;
so any moment can be looked at later (`rules/time_travel.py`). No secret ever stands in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from refresher.rules.connection import Connection, value
from refresher.rules.history import PastEvent
from refresher.store import binary
from refresher.store.binary import Array, bigints, doubles, instants, texts, uuids
from refresher.store.session import Db, first, many, one, run
from refresher.store.words import BEGUN

NEWEST = 2**63 - 1
COLUMNS = ", ".join(f.name for f in fields(PastEvent))
NEAR = 50
"""So many events before a moment tell for certain which leases had ended."""
_EVENT = f"select {COLUMNS} from refresh_event "  # noqa: S608  our own column names


@value
class Event:
    """One line of history: what the caller knows. What the tables tell is added when it is written.

    `lease_token` to `begun_at` belong to the lease that ended, `recorded` is for a replay.
    """

    connection_id: UUID
    kind: str
    lease_token: int | None = None
    credential_version: int | None = None
    attempt: int | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None
    lateness_seconds: float | None = None
    expired_seconds: float | None = None
    reason: str | None = None
    claimed_at: datetime | None = None
    begun_at: datetime | None = None
    lease_until: datetime | None = None
    exchange_seconds: float | None = None
    recorded: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """The events around an instant, the oldest first; `oldest_at` is that of the oldest kept one."""

    past: list[PastEvent]
    later: list[PastEvent]
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Which attempts of a connection are kept: the oldest, the newest, and those beside a number."""

    first: int
    last: int
    below: int | None
    above: int | None


_PACKERS: dict[object, Callable[[Iterable[Any]], Array]] = {
    "UUID": uuids,
    "str": texts,
    "str | None": texts,
    "int | None": bigints,
    "float | None": doubles,
    "datetime | None": instants,
}
_PACKED = {f.name: _PACKERS[f.type] for f in fields(Event) if f.name != "recorded"}
_NAMES = list(_PACKED)
AFTERWARDS = """
    next_due_at, state, parked_reason, postponed_by, failures, unknown_outcomes, starts, stored_version,
    grant_number, status, status_cause, expires_at, lifetime_seconds, refresh_token_expires_at,
    paused_at, disabled_at, deleted_at, in_between_steps
"""
"""The columns that tell what was true when the event's transaction was done."""
STORED = f"""
    case when s.state <> 2 then s.due_at end, s.state, s.parked_reason, s.postponed_by,
    s.attempt, s.unknown_outcomes,
    s.starts - ({BEGUN})::int, c.credential_version,
    c.grant_number, c.status, c.status_cause, c.expires_at, c.lifetime_seconds,
    c.refresh_token_expires_at, c.paused_at, c.disabled_at, c.deleted_at, c.in_between_steps
"""
"""Where they come from: `s` is the schedule row, `c` the connection.

A lease that goes on is told by the event that ends it, and so is its start.
"""
_APPEND = binary.statement(
    f"""
    insert into refresh_event ({", ".join(_NAMES)}, recorded, {AFTERWARDS})
    select {", ".join(f"u.{name}" for name in _NAMES)}, cast(u.recorded as jsonb), {STORED}
    from unnest(cast(:connection_id as uuid[]), cast(:kind as text[]), cast(:lease_token as bigint[]),
        cast(:credential_version as bigint[]), cast(:attempt as int[]),
        cast(:http_status as smallint[]), cast(:elapsed_seconds as float8[]),
        cast(:lateness_seconds as float8[]), cast(:expired_seconds as float8[]),
        cast(:reason as text[]), cast(:claimed_at as timestamptz[]), cast(:begun_at as timestamptz[]),
        cast(:lease_until as timestamptz[]), cast(:exchange_seconds as real[]),
        cast(:recorded as text[]))
      u({", ".join(_NAMES)}, recorded)
    join connection c on c.id = u.connection_id
    left join refresh_schedule s on s.connection_id = u.connection_id
    """  # noqa: S608  our own column names
)


def append(db: Db, events: Sequence[Event]) -> None:
    """Appends events, all stamped with the transaction's time: the last thing that it writes."""
    if events:
        values = {name: pack(map(attrgetter(name), events)) for name, pack in _PACKED.items()}
        values["recorded"] = texts(as_text(e.recorded) for e in events)
        binary.answer(db, _APPEND, values)


def note(db: Db, kind: str, reason: str) -> None:
    """Appends an event that concerns the whole service and no connection, such as `key_rotated`."""
    sql = "insert into refresh_event (kind, reason) values (:kind, :reason)"
    run(db, sql, kind=kind, reason=reason)


def recent(
    db: Db, connection_id: UUID, *, limit: int = 50, before: int | None = None
) -> list[PastEvent]:
    """Returns the newest events of one connection (older than event `before`), the newest first."""
    sql = _EVENT + "where connection_id = :id and id < :before order by id desc limit :limit"
    return many(db, PastEvent, sql, id=connection_id, limit=limit, before=before or NEWEST)


def page(
    db: Db, connection_id: UUID, organization_id: str | None, *, before: int | None, limit: int
) -> list[PastEvent]:
    """Returns the events of a connection (its root's, for a sibling), the newest first."""
    columns = ", ".join(f"e.{f.name}" for f in fields(PastEvent))
    sql = f"""
        select {columns} from connection c
        join refresh_event e on e.connection_id = coalesce(c.root_id, c.id)
        where c.id = :id and c.deleted_at is null
          and (cast(:organization as text) is null or c.organization_id = :organization)
          and (cast(:before as bigint) is null or e.id < :before)
        order by e.id desc limit :limit
        """  # noqa: S608  our own column names
    return many(
        db,
        PastEvent,
        sql,
        id=connection_id,
        organization=organization_id,
        before=before,
        limit=limit,
    )


def outcome(db: Db, connection_id: UUID, lease_token: int) -> PastEvent | None:
    """Returns the event with which a lease ended, None while it has not."""
    sql = (
        _EVENT + "where connection_id = :id and lease_token = :lease_token order by id desc limit 1"
    )
    return first(db, PastEvent, sql, id=connection_id, lease_token=lease_token)


def events_after(db: Db, connection_id: UUID, event_id: int) -> list[PastEvent]:
    """Returns the events of one connection that are newer than `event_id`, the oldest first."""
    sql = _EVENT + "where connection_id = :id and id > :event_id order by id limit 1000"
    return many(db, PastEvent, sql, id=connection_id, event_id=event_id)


def around(db: Db, connection_id: UUID, at: datetime) -> Around:
    """Returns the events near an instant: those until then, and what later ones tell about it."""
    values = {"id": connection_id, "at": at, "near": NEAR}
    select = _EVENT + "where connection_id = :id "
    before = select + "and occurred_at <= :at order by id desc limit :near"
    after = (
        select + "and occurred_at > :at and claimed_at <= :at "
        "union all (" + select + "and occurred_at > :at order by id limit 1) order by id"
    )
    oldest = "select min(occurred_at) from refresh_event where connection_id = :id"
    found = first(db, datetime, oldest, **values)
    return Around(
        past=many(db, PastEvent, before, **values)[::-1],
        later=many(db, PastEvent, after, **values),
        oldest_at=found,
    )


def attempt(db: Db, connection_id: UUID, number: int | None) -> PastEvent | None:
    """Returns the attempt under this lease token, the newest recorded one where there is no number.

    Of two events under one lease (a sweep, and the reply that came after all) the one with a record.
    """
    sql = (
        _EVENT + "where connection_id = :id "
        "and lease_token is not null and (cast(:number as bigint) is null and recorded is not null "
        "or lease_token = :number) order by recorded is null, id desc limit 1"
    )
    return first(db, PastEvent, sql, id=connection_id, number=number)


def attempts_around(db: Db, connection_id: UUID, number: int) -> Attempts | None:
    """Returns which attempts there are, None without any. Numbers may have gaps."""
    sql = """
        select min(lease_token) as first, max(lease_token) as last,
            max(lease_token) filter (where lease_token < :number) as below,
            min(lease_token) filter (where lease_token > :number) as above
        from refresh_event where connection_id = :id and lease_token is not null
        """
    row = run(db, sql, id=connection_id, number=number).mappings().one()
    return None if row["first"] is None else Attempts(**row)


def since_request(
    db: Db, connections: Iterable[Connection], *, within_seconds: float
) -> dict[UUID, float]:
    """Returns how many seconds ago a token was asked for with each grant, if within so many.

    Only requests that may have left count; one whose lease was swept is among them.
    """
    sql = """
        select u.id, extract(epoch from refresher_now() - max(e.begun_at))::float8
        from unnest(cast(:ids as uuid[]), cast(:grants as int[])) u(id, grant_number)
        join refresh_event e on e.connection_id = u.id and e.grant_number = u.grant_number
        where e.occurred_at > refresher_now() - :within * interval '1 second'
          and (e.exchange_seconds is not null or e.kind = 'swept') and e.kind <> 'unsent'
          and e.begun_at is not null and not coalesce(e.recorded ? 'not_sent', false)
        group by u.id
        """
    numbers = {c.id: c.grant_number for c in connections}
    values = {"ids": list(numbers), "grants": list(numbers.values()), "within": within_seconds}
    return {row[0]: row[1] for row in run(db, sql, **values)}


def newest_event_id(db: Db) -> int:
    """Returns the id of the newest event there is, 0 without one."""
    return one(db, int, "select coalesce(max(id), 0) from refresh_event")


def everyones_after(db: Db, event_id: int) -> list[PastEvent]:
    """Returns every connection's events that are newer than `event_id`, the oldest first."""
    return many(db, PastEvent, _EVENT + "where id > :event_id order by id", event_id=event_id)


def as_json(event: PastEvent) -> dict[str, object]:
    """Returns the event as plain values for `--json`."""
    return asdict(event)


def as_text(recorded: Mapping[str, object] | None) -> str | None:
    """Returns a record as JSON."""
    return None if recorded is None else orjson.dumps(recorded).decode()
