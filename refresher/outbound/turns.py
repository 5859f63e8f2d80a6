"""Whose turn it is: of those who wait to be sent, and of the batches that compute.

Nobody takes all places of a `FairQueue`: somebody is left room. `Turns` lets one batch of a process
compute at a time, or two, while the others wait for replies. Batches that compute at once do not get
more done, for Python runs one thread at a time: they interrupt each other, commit smaller groups of
replies, and cost a fifth more. Replies go before new work: what is in hand and not committed would be
lost with the process.

Who has a turn also waits for Postgres in it. Where worker processes are as many as cores, another
process computes meanwhile; a process that works alone has a second turn for that: a tenth more.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
Parties = tuple[Hashable, ...]
"""Whose an item is, one party of each sort: `(organization, host)`."""


class FairQueue(Generic[T]):
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


WAIT_SECONDS = 0.5
"""Nobody waits longer: who has the turn may be held up by a Postgres that is away."""


class Turns:
    """A turn to be had, one after the other; a courtesy, not a lock."""

    def __init__(self, at_once: int = 1) -> None:
        lock = threading.Lock()
        # Two, so that only one is woken, who may go: each that wakes to look costs a switch of threads.
        self._for_replies = threading.Condition(lock)
        self._for_new_work = threading.Condition(lock)
        self._free = at_once
        self._replies_waiting = 0

    @contextmanager
    def turn(self, *, replies: bool = False, alone: bool = False) -> Iterator[None]:
        """Waits for the turn, or goes ahead without it when that takes too long.

        `replies` go first. `alone` is one row that somebody waits for: it goes ahead at once.
        """
        had = not alone and self._take(replies=replies)
        try:
            yield
        finally:
            if had:
                self._give_back()

    def _take(self, *, replies: bool) -> bool:
        queue = self._for_replies if replies else self._for_new_work
        with queue:
            self._replies_waiting += replies
            had = queue.wait_for(
                lambda: self._free > 0 and (replies or not self._replies_waiting), WAIT_SECONDS
            )
            self._replies_waiting -= replies
            self._free -= had
            if self._free > 0:
                self._call_next()  # another may go too, or it was us who were called, too late
            return had

    def _give_back(self) -> None:
        with self._for_replies:
            self._free += 1
            self._call_next()

    def _call_next(self) -> None:
        queue = self._for_replies if self._replies_waiting else self._for_new_work
        queue.notify()
