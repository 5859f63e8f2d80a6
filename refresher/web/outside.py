"""Work that waits for somebody else's server: on threads of its own, with few places for each tenant.

A receiver that never answers, a revocation that hangs, a name server that is silent: whoever asks for
it waits, and nobody else. The threads that serve, and those that look keys up, never wait out there.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from refresher.rules.access import ApiKey
from refresher.web.problems import RETRY_SECONDS, Problem

T = TypeVar("T")
MOST_EACH = 2
"""How much of it one tenant may have under way in one process."""
MOST = 64
"""How much of it all together; a thread that waits costs little."""


class Outside:
    """The places of one process. Safe to use from every thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="outside")
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    async def run(self, tenant: str, work: Callable[..., T], *given: object) -> T:
        """Returns what `work` returns; raises the problem 429 where the tenant's places are taken.

        A place is free again when the work has ended, whether or not anybody still waits for it.
        """
        self._take(tenant)
        try:
            future = self._threads.submit(work, *given)
        except BaseException:
            self._leave(tenant)
            raise
        future.add_done_callback(lambda _: self._leave(tenant))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Waits for what is under way; all of it has limits of time."""
        self._threads.shutdown()

    def _take(self, tenant: str) -> None:
        with self._lock:
            if self._taken[tenant] >= MOST_EACH:
                raise _no_place(f"{MOST_EACH} requests that wait for another server are under way")
            if self._taken.total() >= MOST:
                raise _no_place("too many requests wait for other servers at the moment")
            self._taken[tenant] += 1

    def _leave(self, tenant: str) -> None:
        with self._lock:
            self._taken[tenant] -= 1
            if not self._taken[tenant]:
                del self._taken[tenant]


def tenant_of(key: ApiKey) -> str:
    """Returns whose place a key takes: its organization's, or its own where it is for all of them."""
    return f"key {key.id}" if key.organization_id is None else f"organization {key.organization_id}"


def _no_place(sentence: str) -> Problem:
    return Problem("too_many_waiting", f"{sentence}: try again", retry_after_seconds=RETRY_SECONDS)
