"""Who carries codes to providers: places by organization, threads apart, and issuers' keys.

Key look-ups have threads of their own, and no consent takes one: what waits for a provider is a
coroutine, and what it does to the database is done on the few threads here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from refresher.outbound.egress import Egress

if TYPE_CHECKING:
    from refresher.outbound.key_sets import KeySets

T = TypeVar("T")
AT_A_TIME = 4
"""How many codes of one organization are on their way at a time, in one process (M21)."""
THREADS = 4
KEY_THREADS = 16
"""They wait for issuers, who may be slow: each set of keys is fetched once an hour."""


class Couriers:
    """For the consents of one process. Nothing runs before the first one."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="connect")
        self._key_threads = ThreadPoolExecutor(KEY_THREADS, thread_name_prefix="issuers")
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def place(self, organization_id: str) -> asyncio.Semaphore:
        """Returns what an organization's codes wait for, one after the other."""
        found = self._places.get(organization_id)
        if found is None:
            found = self._places[organization_id] = asyncio.Semaphore(AT_A_TIME)
        return found

    async def work(self, function: Callable[..., T], *given: object) -> T:
        """Returns `function(*given)`, done on a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, copy_context().run, function, *given)

    async def fetch_keys(self, url: str) -> bool:
        """Fetches an issuer's keys; False where they cannot be had now."""
        from refresher.outbound.key_sets import KeysUnavailable  # noqa: PLC0415  a slow import

        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._key_threads, self.keys.fetch, url)
        except KeysUnavailable:
            return False
        return True

    @cached_property
    def keys(self) -> KeySets:
        """The public keys of issuers."""
        from refresher.outbound.key_sets import KeySets  # noqa: PLC0415  a slow import

        return KeySets(self._egress)

    def close(self) -> None:
        """Gives back the threads; what is under way ends first."""
        for threads in (self._threads, self._key_threads):
            threads.shutdown(wait=True, cancel_futures=True)
        self._egress.close()
