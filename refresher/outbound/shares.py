"""A line for a number of places, in which nobody takes all of them: somebody is left room.

An item is some parties' (an organization's, a host's). A party may have seven places of eight: who
comes next may be another, and what hangs gives no place back. Who has his share waits aside, and the
others pass by.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
Parties = tuple[Hashable, ...]
"""Whose an item is, one party of each sort: `(organization, host)`."""


class Line(Generic[T]):
    """Items in the order in which they came, as far as shares allow. For one thread at a time."""

    def __init__(self, places: int) -> None:
        self._share = places - max(places // 8, int(places > 3))
        self._free = places
        self._ready: deque[tuple[Parties, T]] = deque()
        self._aside: dict[tuple[int, Hashable], deque[tuple[Parties, T]]] = {}
        self._taken: Counter[tuple[int, Hashable]] = Counter()

    def __len__(self) -> int:
        """How many may be asked for now; some of them may turn out to have their share."""
        return len(self._ready)

    def add(self, parties: Parties, item: T) -> None:
        """Has an item wait for its turn."""
        self._ready.append((parties, item))

    def take(self) -> tuple[Parties, T] | None:
        """Returns whose turn it is, or None; who was taken is given back by `done`."""
        while self._ready and self._free:
            parties, item = self._ready.popleft()
            keys = list(enumerate(parties))
            full = next((key for key in keys if self._is_full(key)), None)
            if full is None:
                self._taken.update(keys)
                self._free -= 1
                return parties, item
            self._aside.setdefault(full, deque()).append((parties, item))
            for key in keys:
                if not self._is_full(key):
                    self._call(key)  # in its stead
        return None

    def done(self, parties: Parties) -> None:
        """Gives a place back; whoever waited aside for it is next."""
        self._free += 1
        for key in enumerate(parties):
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
            self._call(key)

    def drain(self) -> Iterator[T]:
        """Yields all that wait, who have no turn any more."""
        for waiting in (self._ready, *self._aside.values()):
            while waiting:
                yield waiting.popleft()[1]
        self._aside.clear()

    def _is_full(self, key: tuple[int, Hashable]) -> bool:
        return self._taken[key] >= self._share

    def _call(self, key: tuple[int, Hashable]) -> None:
        if aside := self._aside.get(key):
            self._ready.appendleft(aside.popleft())
            if not aside:
                del self._aside[key]
