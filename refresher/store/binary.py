"""Statements that every refresh goes through: sent by the driver, in binary form, planned once.

Sent by the driver itself: SQLAlchemy's own work on them is 3 % of a refresh. The transaction around
them is SQLAlchemy's, like every other.

In binary form neither side writes and reads forty columns as text. Only for types that psycopg can
load from it (not `xid8` or `numeric` of a kind it does not know). A column of values goes to
`unnest` packed in one go: psycopg looks at each element of a list to find out its type, and dumps
each by itself, which for twenty columns of up to two hundred values is a tenth of a worker's time.
Here the author of the statement names the type; a column without values, or of nothing but nulls,
is sent like any other, so that the statement stays prepared.

Planned once: where a statement's plan is the same for all values, Postgres need not make it again for
each execution, which costs a look by primary key half of its time. By itself Postgres goes on making
it, because it takes an array whose length it knows for smaller than one that it does not know. So the
session is told before such a statement, and again before another one; both are rare, for a session
serves either refreshes or something else for a while.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct, pack
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from refresher.store.db import Db

_TELLING, _TOLD = "tells_how_to_plan", "plan_cache_mode"
PLANS_ARE_KEPT = "plans_are_kept"
"""The execution option that is false where a session is not ours, so that nothing is prepared in it."""
AS_ALWAYS, PLAN_ONCE = "auto", "force_generic_plan"
Row = tuple[Any, ...]
_VALUE = re.compile(r"(?<!:):(\w+)")  # and no cast like `::float8`


class Hot(NamedTuple):
    """A statement: as it is written, with `:name` for a value, and as the driver takes it."""

    text: str
    sql: bytes
    plan: str


def statement(text: str, *, planned_once: bool = True) -> Hot:
    """Returns a statement; `planned_once` False where its best plan depends on its values."""
    sql = _VALUE.sub(r"%(\1)s", text.replace("%", "%%"))
    return Hot(text, sql.encode(), PLAN_ONCE if planned_once else AS_ALWAYS)


def rows(db: Db, hot: Hot, values: Mapping[str, object]) -> list[Row]:
    """Executes it in the transaction of `db` and returns its rows; raises `psycopg.Error`."""
    return answer(db, hot, values).fetchall()


def answer(db: Db, hot: Hot, values: Mapping[str, object]) -> psycopg.Cursor[Row]:
    """Executes it and returns the cursor, which also knows the columns' names and how many rows."""
    _tell(db, hot.plan)
    driver: Any = db.connection.driver_connection
    cursor: psycopg.Cursor[Row] = driver.cursor(binary=True)
    return cursor.execute(hot.sql, values)


def before_others(
    db: Any,
    _cursor: object,
    sql: str,
    _values: object,
    context: Any,
    _many: object,
) -> None:
    """Called by SQLAlchemy before each statement of its own."""
    if sql.startswith("ROLLBACK TO"):  # after an error Postgres takes nothing else
        return
    if context is None or not context.execution_options.get(_TELLING):
        _tell(db, AS_ALWAYS)


def rolled_back(db: Db, *_savepoint: object) -> None:
    """Called by SQLAlchemy before a rollback, which takes back what the session was told in it."""
    driver = None if db.invalidated else db.connection.driver_connection
    if driver is not None and not driver.autocommit:
        db.info[_TOLD] = "unknown"


def _tell(db: Any, wanted: str) -> None:
    if db.info.get(_TOLD, AS_ALWAYS) == wanted:
        return
    if db.get_execution_options().get(PLANS_ARE_KEPT, True):
        db.exec_driver_sql(f"set plan_cache_mode = {wanted}", execution_options={_TELLING: True})
        db.info[_TOLD] = wanted


_EMPTY = Struct("!iiI")
_HEAD = Struct("!iiIii")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)
_UUID_LENGTH = _LENGTH.pack(16)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Array:
    """A column of one type, ready to be sent.

    The form is that of `array_recv`: dimensions, "has nulls", element type, length and lower
    bound; then each element as its length and its bytes, length -1 for null.
    """

    __slots__ = ("packed",)
    element_oid = 0
    array_oid = 0

    def __init__(self, length: int, elements: bytes, *, has_null: bool = False) -> None:
        if length:
            self.packed = _HEAD.pack(1, has_null, self.element_oid, length, 1) + elements
        else:
            self.packed = _EMPTY.pack(0, 0, self.element_oid)


def _of(name: str) -> type[Array]:
    """Returns the column of a type that psycopg knows by `name`."""
    known = psycopg.adapters.types[name]
    oids = {"element_oid": known.oid, "array_oid": known.array_oid}
    return type(f"{name}_array", (Array,), {"__slots__": (), **oids})


_UUID, _BIGINT, _DOUBLE = _of("uuid"), _of("int8"), _of("float8")
_TEXT, _BYTEA, _INSTANT = _of("text"), _of("bytea"), _of("timestamptz")


def uuids(values: Iterable[UUID | None]) -> Array:
    """Packs ids."""
    whole = _UUID_LENGTH
    elements = [
        _NULL if value is None else whole + value.int.to_bytes(16, "big") for value in values
    ]
    return _UUID(len(elements), b"".join(elements), has_null=_NULL in elements)


def bigints(values: Iterable[int | None]) -> Array:
    """Packs whole numbers, of any width: the statement casts them."""
    return _numbers(_BIGINT, "iq", list(values))


def doubles(values: Iterable[float | None]) -> Array:
    """Packs numbers."""
    return _numbers(_DOUBLE, "id", list(values))


def instants(values: Iterable[datetime | None]) -> Array:
    """Packs aware times."""
    since = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
    return _numbers(_INSTANT, "iq", since)


def texts(values: Iterable[str | None]) -> Array:
    """Packs texts."""
    return _sized(_TEXT, [None if value is None else value.encode() for value in values])


def byteas(values: Iterable[bytes | None]) -> Array:
    """Packs bytes."""
    return _sized(_BYTEA, list(values))


def send_in_one_go(
    connection: psycopg.Connection[object] | psycopg.AsyncConnection[object],
) -> None:
    """Teaches a connection to send them."""
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)


def _numbers(kind: type[Array], form: str, values: Sequence[float | None]) -> Array:
    """Packs elements of eight bytes: all in one call when none is null, which is the rule."""
    if None not in values:
        flat = [part for value in values for part in (8, value)]
        return kind(len(values), pack("!" + form * len(values), *flat))
    one = Struct("!" + form)
    elements = [_NULL if value is None else one.pack(8, value) for value in values]
    return kind(len(values), b"".join(elements), has_null=True)


def _sized(kind: type[Array], values: Sequence[bytes | None]) -> Array:
    sized = _LENGTH.pack
    elements = [_NULL if value is None else sized(len(value)) + value for value in values]
    return kind(len(values), b"".join(elements), has_null=None in values)


def _dumper(kind: type[Array]) -> type[Dumper]:
    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = kind.array_oid

        def dump(self, obj: Array) -> bytes:
            return obj.packed

    return ArrayDumper


_DUMPERS = {kind: _dumper(kind) for kind in (_UUID, _BIGINT, _DOUBLE, _TEXT, _BYTEA, _INSTANT)}
