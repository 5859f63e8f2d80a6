"""Looks API keys up beside everything else: known keys on a lane of their own, strangers few at a time.

No request with a key that works waits behind a handler, nor behind somebody who tries keys. There is no
limit for each address: behind a proxy all of them come from one, and it would hit those who do no harm.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from refresher.connections.api_keys import Keyring, KnownKey
from refresher.rules.access import ApiKey, Presented, Refusal
from refresher.rules.limits import Allowance
from refresher.store.session import Database
from refresher.web.problems import RETRY_SECONDS, Problem

KNOWN_THREADS = 2
"""A millisecond each, and a known key is asked for about once a second."""
STRANGERS_PER_SECOND = 200.0
"""How many keys that no one has shown here before are looked up; one that is a key does not count."""


class Lookups:
    """The keys that this process knows, and the threads that ask Postgres. For one event loop."""

    def __init__(self, database: Database) -> None:
        self.keyring = Keyring(database)
        self._known = ThreadPoolExecutor(KNOWN_THREADS, thread_name_prefix="keys")
        self._strangers = ThreadPoolExecutor(1, thread_name_prefix="strangers")
        rate = STRANGERS_PER_SECOND
        self._allowance = Allowance(rate, rate, time.monotonic())
        self._under_way: dict[str, asyncio.Task[KnownKey]] = {}

    async def verdict(self, shown: Presented) -> ApiKey | Refusal:
        """Returns the key, or why it is none; raises 429 where too many strangers try.

        Asks Postgres at most once a second for a key, however many show it.
        """
        verdict = self.remembered(shown)
        if verdict is None:
            return self.keyring.judged(await asyncio.shield(self._look_up(shown)), shown)
        return verdict

    def remembered(self, shown: Presented) -> ApiKey | Refusal | None:
        """Returns what is known without waiting; None where `verdict` must be awaited."""
        verdict = self.keyring.remembered(shown)
        if verdict is not None and self.keyring.is_ageing(shown.id):
            self._look_up(shown)  # beside the requests that use it: nobody who is known waits
        return verdict

    def close(self) -> None:
        """Ends the threads."""
        self._known.shutdown()
        self._strangers.shutdown()

    def _look_up(self, shown: Presented) -> asyncio.Task[KnownKey]:
        """Returns the look-up of this id that is under way, or begins one."""
        task = self._under_way.get(shown.id)
        if task is None:
            work = self._again(shown) if self.keyring.knows(shown.id) else self._try(shown)
            task = self._under_way[shown.id] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda ended: self._end(shown.id, ended))
        return task

    def _end(self, key_id: str, task: asyncio.Task[KnownKey]) -> None:
        del self._under_way[key_id]
        if not task.cancelled():
            task.exception()  # who waits for it is told; nobody has to

    async def _again(self, shown: Presented) -> KnownKey:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._known, self.keyring.look_up, shown)

    async def _try(self, shown: Presented) -> KnownKey:
        wait = self._allowance.take(time.monotonic())
        if wait > 0:
            raise Problem(
                "rate_limited",
                "too many unknown API keys are being tried: try again",
                retry_after_seconds=max(wait, RETRY_SECONDS),
            )
        loop = asyncio.get_running_loop()
        seen = await loop.run_in_executor(self._strangers, self.keyring.look_up, shown)
        if seen.key is not None:
            self._allowance.give_back()
        return seen
