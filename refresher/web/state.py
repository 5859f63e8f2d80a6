"""What the handlers of one process share: services, keys, threads, counts, the door to fresh tokens.

Work that waits for somebody else's server (a receiver that never answers, a revocation that hangs, a
name server that is silent) has threads of its own, with few places for each tenant: whoever asks for it
waits, and nobody else.

Deeds that come in numbers, reads of tokens and refusals, are counted, and written to the audit in
lines. A line for each would cost a write for each, and a stranger could fill the table. A process that
is killed loses the reads of the last half minute, and the refusals of the last minute.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

import structlog

from refresher.errors import RefresherError
from refresher.insight.looks import Looks
from refresher.insight.provider_looks import ProviderLooks
from refresher.insight.watched import Versions
from refresher.outbound.key_sets import KeySets
from refresher.refresh.on_demand import OnDemand
from refresher.rules.access import ApiKey
from refresher.rules.limits import Allowance
from refresher.runtime.services import Services, egress_from
from refresher.store import audit
from refresher.store.session import Database
from refresher.web.auth import Lookups
from refresher.web.problems import RETRY_SECONDS, Problem

log = structlog.get_logger()
T = TypeVar("T")
READS_SECONDS = 30.0
REFUSALS_SECONDS = 60.0
Like = tuple[str, str | None, UUID | None, str | None]
"""Whose key, of which organization or of all, about which connection, and about what else."""
MOST_ALIKE = 500
"""So few together that writing them keeps nobody waiting for more than some milliseconds."""
MOST_EACH = 2
"""How much of it one tenant may have under way in one process."""
MOST = 64
"""How much of it all together; a thread that waits costs little."""


class Shared:
    """One for each process; `close` once no request is under way any more."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.services = services
        self.on_demand = OnDemand(services)
        self.egress = egress_from(settings)
        self.key_sets = KeySets(egress_from(settings))
        self.lookups = Lookups(services.database)
        self.providers = ProviderLooks(services)
        self.outside = Outside()
        self.looks = Looks(services)
        self.versions = Versions(services.database)
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
        self.looks.close()
        self.lookups.close()
        self._threads.shutdown()
        self.key_sets.close()
        self.egress.close()
        for counted in (self.reads, self.refusals):
            counted.write(counted.take())


class Counted:
    """Counts one action, on the event loop's thread; `threads` write what was counted."""

    def __init__(
        self, database: Database, threads: Executor, action: str, *, every_seconds: float
    ) -> None:
        self._database, self._threads = database, threads
        self._action, self._every = action, every_seconds
        self._counts: dict[Like, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(
        self,
        key_id: str,
        organization_id: str | None,
        connection_id: UUID | None = None,
        subject: str | None = None,
    ) -> None:
        """Counts one, and has it written soon."""
        like = (key_id, organization_id, connection_id, subject)
        self._counts[like] = self._counts.get(like, 0) + 1
        if len(self._counts) >= MOST_ALIKE:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every, self._flush)

    def take(self) -> dict[Like, int]:
        """Returns what was counted and is not written yet."""
        counts, self._counts = self._counts, {}
        return counts

    def write(self, counts: dict[Like, int]) -> None:
        """Writes counts; while Postgres is away it is said in the log instead."""
        deeds = [
            audit.AuditEntry(key_id, self._action, organization_id, connection_id, subject, count)
            for (key_id, organization_id, connection_id, subject), count in counts.items()
        ]
        missing = {"action": self._action, "deeds": len(deeds)}
        try:
            with self._database.transaction() as db:
                audit.append(db, deeds)
        except RefresherError as error:
            log.error("deeds are missing in the audit", **missing, why=str(error))  # noqa: TRY400  a sentence, no traceback
        except Exception:
            log.exception("deeds are missing in the audit", **missing)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if counts := self.take():
            self._threads.submit(self.write, counts)


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
