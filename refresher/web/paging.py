"""Pages of lists, and their cursors: opaque to clients, validated here.

A cursor belongs to the list, and the filters, it came from. It is not signed: it only says where to go
on, and every query is limited to the key's organization whatever it says.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson

from refresher.web.problems import Problem

T = TypeVar("T")
NOT_OURS = "cursor is none that this API gave: leave it out to begin anew"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is None on the last one."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    """A whole list."""

    items: Sequence[T]


def page(
    listing: object, found: Sequence[T], limit: int, place: Callable[[T], Sequence[str | int]]
) -> Page[T]:
    """Returns a page of a list of which one more than `limit` was read, to know whether it goes on."""
    items = found[:limit]
    return Page(items, write(listing, place(items[-1])) if len(found) > limit else None)


def write(listing: object, place: Sequence[str | int]) -> str:
    """Returns the cursor for the page behind `place` of a listing."""
    text = orjson.dumps([_mark(listing), *place])
    return urlsafe_b64encode(text).decode().rstrip("=")


def read(listing: object, cursor: str | None, kinds: Sequence[type]) -> list[str | int] | None:
    """Returns the place, None without a cursor; raises a problem for anything that we did not write."""
    if cursor is None:
        return None
    place = _parts(cursor)
    if [type(p) for p in place] != [str, *kinds]:
        raise Problem("invalid_cursor", NOT_OURS)
    if place[0] != _mark(listing):
        raise Problem(
            "invalid_cursor",
            "cursor belongs to another list, or to other filters: keep the filters while paging",
        )
    if any(not _storable(part) for part in place[1:]):
        raise Problem("invalid_cursor", NOT_OURS)
    return place[1:]


def read_texts(listing: object, cursor: str | None, count: int) -> tuple[str, ...] | None:
    """Returns a place of so many texts."""
    place = read(listing, cursor, [str] * count)
    return None if place is None else tuple(str(part) for part in place)


def read_place(listing: object, cursor: str | None) -> tuple[str, ...] | None:
    """Returns a place of some texts; whether it is one of this list, the list must say."""
    if cursor is None:
        return None
    parts = _parts(cursor)
    place = read(listing, cursor, [str] * (len(parts) - 1)) or []
    return tuple(str(part) for part in place)


def read_number(listing: object, cursor: str | None) -> int | None:
    """Returns a place of one number."""
    place = read(listing, cursor, [int])
    return None if place is None else int(place[0])


def read_id(listing: object, cursor: str | None) -> UUID | None:
    """Returns a place of one UUID."""
    place = read(listing, cursor, [str])
    try:
        return None if place is None else UUID(str(place[0]))
    except ValueError:
        raise Problem("invalid_cursor", NOT_OURS) from None


def _parts(cursor: str) -> list[Any]:
    try:
        place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError):
        place = None
    if not isinstance(place, list) or len(place) < 2:
        raise Problem("invalid_cursor", NOT_OURS)
    return place


def _storable(part: str | int) -> bool:
    """Whether Postgres takes the value: no NUL in a text, no more than 64 bits in a number."""
    return "\x00" not in part if isinstance(part, str) else 0 <= part < 2**63


def _mark(listing: object) -> str:
    return sha256(repr(listing).encode()).hexdigest()[:8]
