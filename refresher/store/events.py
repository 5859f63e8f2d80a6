"""The table `refresh_event`: an append-only record of what happened to each connection, and why.

One row an outcome: the steps before it are instants in it (`rules/history.py` takes them apart), and
with it stands what was true afterwards, read from the rows that the same transaction has just written;
so any moment can be looked at later (`rules/time_travel.py`). No secret ever stands in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from refresher.rules.connection import value
from refresher.rules.history import PastEvent
from refresher.store import binary
from refresher.store.binary import Array, bigints, doubles, instants, texts, uuids
from refresher.store.in_flight import BEGUN
from refresher.store.session import Db, many, run

__all__ = ["Event", "PastEvent", "append", "as_json", "note", "recent"]

NEWEST = 2**63 - 1


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
        values["recorded"] = texts(_text(e.recorded) for e in events)
        binary.answer(db, _APPEND, values)


def note(db: Db, kind: str, reason: str) -> None:
    """Appends an event that concerns the whole service and no connection, such as `key_rotated`."""
    sql = "insert into refresh_event (kind, reason) values (:kind, :reason)"
    run(db, sql, kind=kind, reason=reason)


def recent(
    db: Db, connection_id: UUID, *, limit: int = 50, before: int | None = None
) -> list[PastEvent]:
    """Returns the newest events of one connection (older than event `before`), the newest first."""
    sql = (
        f"select {COLUMNS} from refresh_event "  # noqa: S608  our own column names
        "where connection_id = :id and id < :before order by id desc limit :limit"
    )
    return many(db, PastEvent, sql, id=connection_id, limit=limit, before=before or NEWEST)


COLUMNS = ", ".join(f.name for f in fields(PastEvent))


def as_json(event: PastEvent) -> dict[str, object]:
    """Returns the event as plain values for `--json`."""
    return asdict(event)


def _text(recorded: Mapping[str, object] | None) -> str | None:
    return None if recorded is None else orjson.dumps(recorded).decode()
