"""Lets one batch of a process compute at a time, while the others wait for replies.

Batches that compute at once do not get more done, for Python runs one thread at a time: they interrupt
each other, commit smaller groups of replies, and cost a fifth more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

WAIT_SECONDS = 0.5
"""Nobody waits longer: who has the turn may be held up by a Postgres that is away."""


class Turns:
    """A turn to be had, one after the other; a courtesy, not a lock."""

    def __init__(self) -> None:
        self._free = threading.Lock()

    @contextmanager
    def turn(self, *, alone: bool = False) -> Iterator[None]:
        """Waits for the turn, or goes ahead without it when that takes too long.

        `alone` is one row that somebody waits for: it goes ahead at once.
        """
        had = not alone and self._free.acquire(timeout=WAIT_SECONDS)
        try:
            yield
        finally:
            if had:
                self._free.release()
