"""What the handlers of one process share: services, keys, threads, and the door to fresh tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

import structlog

from refresher.errors import RefresherError
from refresher.exchange.jwks import KeySets
from refresher.keys import Keyring
from refresher.on_demand import OnDemand
from refresher.rules.access import Allowance, ApiKey, Presented, Refusal
from refresher.store import audit
from refresher.wiring import Services, egress_from

T = TypeVar("T")
Reads = dict[tuple[str, str | None, UUID], int]
"""How often a key, of an organization or of all, read the token of a connection."""
log = structlog.get_logger()
READS_SECONDS = 30.0
MOST_READS = 500
"""So few together that writing them keeps nobody waiting for more than some milliseconds."""


class State:
    """One for each process; `close` once no request is under way any more."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.services = services
        self.on_demand = OnDemand(services)
        self.keyring = Keyring(services.database)
        self.egress = egress_from(settings)
        self.key_sets = KeySets(egress_from(settings))
        self.reads = TokenReads(services)
        # More threads than connections would only wait for one another.
        size = min(settings.web_threads, settings.database_pool_size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="web")
        self._rate = settings.api_requests_per_second / settings.web_processes
        self._allowances: dict[str, Allowance] = {}
        self._looking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Returns what `work` returns, done on a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def looked_up(self, shown: Presented) -> ApiKey | Refusal:
        """Returns what Postgres knows of a key."""
        return await self.in_thread(self.keyring.look_up, shown)

    def look_up_soon(self, shown: Presented) -> None:
        """Has a key looked up beside the requests that use it, once at a time."""
        if shown.id not in self._looking:
            self._looking.add(shown.id)
            task = asyncio.get_running_loop().create_task(self._look_up(shown))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def note_read(self, key: ApiKey, connection_id: UUID) -> None:
        """Counts the read of a token for the audit, which is written beside the requests."""
        if counts := self.reads.note(key, connection_id):
            self._threads.submit(self.reads.write, counts)

    async def _look_up(self, shown: Presented) -> None:
        try:
            await self.looked_up(shown)
        except RefresherError:
            pass  # the next request that needs it is told
        finally:
            self._looking.discard(shown.id)

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
        self._threads.shutdown()
        self.key_sets.close()
        self.egress.close()
        self.reads.write(self.reads.take())


class TokenReads:
    """Counts who read which token, and writes it to the audit twice a minute or sooner.

    A line a read would cost a write for each; so reads of one token by one key share a line. A process
    that is killed loses those of the last half minute.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counts: Reads = {}
        self._since = time.monotonic()

    def note(self, key: ApiKey, connection_id: UUID) -> Reads:
        """Counts one read, on the event loop's thread; returns what is to be written now."""
        who = (key.id, key.organization_id, connection_id)
        self._counts[who] = self._counts.get(who, 0) + 1
        late = time.monotonic() - self._since > READS_SECONDS
        return self.take() if late or len(self._counts) >= MOST_READS else {}

    def take(self) -> Reads:
        """Returns what was counted and is not written yet."""
        self._since = time.monotonic()
        counts, self._counts = self._counts, {}
        return counts

    def write(self, counts: Reads) -> None:
        """Writes counts; while Postgres is away it is said in the log instead."""
        deeds = [
            audit.Deed(key_id, "token_read", organization_id, connection_id, count=count)
            for (key_id, organization_id, connection_id), count in counts.items()
        ]
        try:
            with self._services.database.transaction() as db:
                audit.append(db, deeds)
        except RefresherError as error:
            log.error("token reads are missing in the audit", reads=len(deeds), why=str(error))  # noqa: TRY400
        except Exception:
            log.exception("token reads are missing in the audit", reads=len(deeds))
