"""What the handlers of one process share: services, keys, threads, and the door to fresh tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from refresher.outbound.key_sets import KeySets
from refresher.refresh.on_demand import OnDemand
from refresher.rules.access import ApiKey
from refresher.rules.limits import Allowance
from refresher.runtime.services import Services, egress_from
from refresher.web.counted import Counted
from refresher.web.lookups import Lookups
from refresher.web.outside import Outside

T = TypeVar("T")
READS_SECONDS = 30.0
REFUSALS_SECONDS = 60.0


class State:
    """One for each process; `close` once no request is under way any more."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.services = services
        self.on_demand = OnDemand(services)
        self.egress = egress_from(settings)
        self.key_sets = KeySets(egress_from(settings))
        self.lookups = Lookups(services.database)
        self.outside = Outside()
        # More threads than connections would only wait for one another.
        size = min(settings.web_threads, settings.database_pool_size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="web")
        database, threads = services.database, self._threads
        self.reads = Counted(database, threads, "token_read", every_seconds=READS_SECONDS)
        self.refusals = Counted(database, threads, "refused", every_seconds=REFUSALS_SECONDS)
        self._rate = settings.api_requests_per_second / settings.web_processes
        self._allowances: dict[str, Allowance] = {}

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Returns what `work` returns, done on a thread of the pool: waiting for Postgres only."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def note_read(self, key: ApiKey, connection_id: UUID) -> None:
        """Counts the read of a token for the audit, which is written beside the requests."""
        self.reads.note(key.id, key.organization_id, connection_id)

    def wait_seconds(self, key: ApiKey) -> float:
        """Counts a request of this key; returns 0, or for how long it must wait."""
        now = time.monotonic()
        allowance = self._allowances.get(key.id)
        if allowance is None:
            allowance = self._allowances[key.id] = Allowance(self._rate, self._rate, now)
        return allowance.take(now)

    def close(self) -> None:
        """Lets refreshes under way end, so that no rotated token is lost; then ends the threads."""
        self.on_demand.close()
        self.outside.close()
        self.lookups.close()
        self._threads.shutdown()
        self.key_sets.close()
        self.egress.close()
        for counted in (self.reads, self.refusals):
            counted.write(counted.take())
