"""Remembers a million ids in little memory: where each was seen first.

A dictionary takes some 200 bytes for each; packed they are 20, with what a growing array leaves
unused some 24. Exact: nothing is told by a digest of an id.
"""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

_SHARED, _PLACE = 2, 6
_OWN = 16 - _SHARED
_RECORD = _OWN + _PLACE


class Seen:
    """Ids, and the place (a number below 2^48) at which each was seen first.

    Those that begin alike stand in one row of bytes: few, because the ids that are ours are digests.
    """

    def __init__(self) -> None:
        self._alike: defaultdict[bytes, bytearray] = defaultdict(bytearray)

    def first(self, id_: UUID) -> int | None:
        """Returns where it was seen first, None where never."""
        whole = id_.bytes
        alike = self._alike.get(whole[:_SHARED], b"")
        at = _find(alike, whole[_SHARED:])
        return None if at < 0 else int.from_bytes(alike[at + _OWN : at + _RECORD], "big")

    def add(self, id_: UUID, place: int) -> int:
        """Notes it; returns where it was seen first: `place`, if this is the first time."""
        whole = id_.bytes
        alike, own = self._alike[whole[:_SHARED]], whole[_SHARED:]
        at = _find(alike, own)
        if at >= 0:
            return int.from_bytes(alike[at + _OWN : at + _RECORD], "big")
        alike += own + place.to_bytes(_PLACE, "big")
        return place

    def __contains__(self, id_: UUID) -> bool:
        return self.first(id_) is not None


def _find(alike: bytes | bytearray, own: bytes) -> int:
    """Returns where a record begins with `own`, -1 for nowhere; half of two others is none."""
    at = alike.find(own)
    while at > 0 and at % _RECORD:
        at = alike.find(own, at + 1)
    return at
