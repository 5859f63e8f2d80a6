"""Hands replies from the event loop's thread to the caller's, in groups.

One wake-up a group instead of one a reply: at some thousand replies a second, waking costs more than
sending. Nothing here knows what a reply is.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Generic, TypeVar

from refresher.outbound.compute_slots import Turns

T = TypeVar("T")
MOST_REPLIES = 100
GATHER_SECONDS = 0.005
"""A group is what arrives within 5 ms of its first, at most 100."""


class Arrivals(Generic[T]):
    """The way back of one batch, whose size is known. The loop's thread adds, one other reads."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._missing = expected
        self._ready: deque[T] = deque()
        self._wake = threading.Event()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: T) -> None:
        """Takes one in; called on the loop's thread only."""
        self._ready.append(item)
        self._missing -= 1
        if self._missing == 0 or len(self._ready) >= MOST_REPLIES:
            self._tell()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._tell)

    def groups(
        self, turns: Turns | None = None, again: Callable[[], float | None] = lambda: None
    ) -> Iterator[list[T]]:
        """Yields until all expected have come; what came during the caller's work goes at once.

        With `turns`, the caller works on a group in a turn; what comes while it waits for the turn is
        in the group. `again` tells within how many seconds to yield even if nothing came.
        """
        turn = (
            partial(turns.turn, replies=True, alone=self._expected == 1) if turns else nullcontext
        )
        left = self._expected
        while left:
            woken = self._wake.wait(again())
            with turn():
                group = self._take()
                left -= len(group)
                if group or not woken:
                    yield group

    def ready(self) -> list[T]:
        """Returns what has come and is not read yet; it stays to be read. From any thread."""
        while True:
            try:
                return list(self._ready)
            except RuntimeError:  # one came in the middle of the look
                continue

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.set()

    def _take(self) -> list[T]:
        self._wake.clear()  # before the look: what is added after it sets it again
        group = [self._ready.popleft() for _ in range(min(len(self._ready), MOST_REPLIES))]
        if self._ready:
            self._wake.set()
        return group


class Stream(Iterator[list[T]]):
    """The groups of one batch, and a look at what waits to be read, for who cannot wait for that."""

    def __init__(self, groups: Iterator[list[T]], ready: Callable[[], list[T]] = list) -> None:
        self._groups = groups
        self.ready = ready

    def __next__(self) -> list[T]:
        """Returns the next group."""
        return next(self._groups)
