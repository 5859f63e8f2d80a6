"""Packs a column of values for `unnest`, in Postgres' binary form, in one go.

psycopg looks at each element of a list to find out its type, and dumps each by itself. For the
statements that every refresh goes through, twenty columns of up to two hundred values, that is a tenth
of a worker's time. Here the author of the statement names the type; a column without values, or of
nothing but nulls, is sent like any other, so that the statement stays prepared.

The form is that of `array_recv`: dimensions, "has nulls", element type, length and lower bound; then
each element as its length and its bytes, length -1 for null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct, pack
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_EMPTY = Struct("!iiI")
_HEAD = Struct("!iiIii")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)
_UUID_LENGTH = _LENGTH.pack(16)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Array:
    """A column of one type, ready to be sent."""

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
    elements = [_NULL if value is None else _UUID_LENGTH + value.bytes for value in values]
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
