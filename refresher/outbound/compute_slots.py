"""Lets one batch of a process compute at a time, or two, while the others wait for replies.

Batches that compute at once do not get more done, for Python runs one thread at a time: they interrupt
each other, commit smaller groups of replies, and cost a fifth more. Replies go before new work: what is
in hand and not committed would be lost with the process.

Who has a turn also waits for Postgres in it. Where worker processes are as many as cores, another
process computes meanwhile; a process that works alone has a second turn for that: a tenth more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
