"""Cursors: opaque to clients, validated here. One belongs to the list, and the filters, it came from.

They are not signed: a cursor only says where to go on, and every query is limited to the key's
organization whatever it says.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from hashlib import sha256

import orjson

from refresher.web.problems import Problem


def write(listing: object, place: Sequence[str | int]) -> str:
    """Returns the cursor for the page behind `place` of a listing."""
    text = orjson.dumps([_mark(listing), *place])
    return urlsafe_b64encode(text).decode().rstrip("=")


def read(listing: object, cursor: str | None, kinds: Sequence[type]) -> list[str | int] | None:
    """Returns the place, None without a cursor; raises a problem for anything that we did not write."""
    if cursor is None:
        return None
    try:
        place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError):
        place = None
    if not isinstance(place, list) or [type(p) for p in place] != [str, *kinds]:
        raise Problem(
            "invalid_cursor", "cursor is none that this API gave: leave it out to begin anew"
        )
    if place[0] != _mark(listing):
        raise Problem(
            "invalid_cursor",
            "cursor belongs to another list, or to other filters: keep the filters while paging",
        )
    if any(not _storable(part) for part in place[1:]):
        raise Problem(
            "invalid_cursor", "cursor is none that this API gave: leave it out to begin anew"
        )
    return place[1:]


def _storable(part: str | int) -> bool:
    """Whether Postgres takes the value: no NUL in a text, no more than 64 bits in a number."""
    return "\x00" not in part if isinstance(part, str) else 0 <= part < 2**63


def _mark(listing: object) -> str:
    return sha256(repr(listing).encode()).hexdigest()[:8]
