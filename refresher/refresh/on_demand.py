"""Refresh on demand: the one way in which a caller gets a fresh token, or a refresh now.

The command line, the HTTP API and the SDK's direct mode all go through `OnDemand`, one a process:

    on_demand = OnDemand(services)                  # the process holds a heartbeat (`process.Process`)
    on_demand = OnDemand(services, role="client")   # holds one itself, from the first refresh on

    served = on_demand.fresh_token(id, min_ttl_seconds=60, wait_seconds=20, rejected=None)
    served = await on_demand.fresh_token_async(id, ...)
    ending = on_demand.refresh_now(id, wait_seconds=60)
    ending = await on_demand.refresh_now_async(id, ...)
    on_demand.close()

A fresh token costs one statement by primary key. Any other claims its row, compared with the lease
token that was seen, and is refreshed in this process, ahead of every backlog; who finds it leased
waits for that lease, whoever holds it. So a thousand callers in any number of threads, processes and
machines cause one exchange. What to do is decided in `rules/serving.py`; the steps are `token_flow.py`,
written once and driven here with threads or with asyncio.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from refresher.refresh import slot_flow, token_flow
from refresher.refresh.batched_reads import Reading
from refresher.refresh.single_flight import Flights, LeaseWatch
from refresher.rules.served import RefreshResult, Served
from refresher.rules.serving import Ask
from refresher.runtime.services import Services

__all__ = ["Ask", "OnDemand", "RefreshResult", "Served"]
T = TypeVar("T")
WAIT_SECONDS = 20.0


class OnDemand:
    """Fresh tokens and refreshes for whoever asks; safe to use from any thread and event loop.

    `role` names this process in the table `worker` when it has no heartbeat of its own yet.
    """

    def __init__(self, services: Services, *, role: str | None = None) -> None:
        self._services = services
        if role is not None:
            services.restored.watch()
        self._reading = Reading(services)
        self._flights = Flights(services, role)
        self._leases = LeaseWatch(services)

    def close(self) -> None:
        """Waits for the refreshes under way, so that no rotated token is lost, and ends threads."""
        self._flights.close()
        self._leases.close()
        self._reading.close()

    @property
    def busy(self) -> bool:
        """Whether a refresh is under way here, which should not be cut off."""
        return self._flights.busy

    def fresh_token(
        self,
        connection_id: UUID,
        *,
        min_ttl_seconds: float = 60.0,
        wait_seconds: float = WAIT_SECONDS,
        rejected: str | None = None,
        organization_id: str | None = None,
        slot: str | None = None,
    ) -> Served:
        """Returns a token with `min_ttl_seconds` left, refreshed within `wait_seconds` if need be.

        `rejected` is the fingerprint of a token that the resource server refused (401): if it is the
        stored one's, it is refreshed; if it is an older one's, the stored one is served. With
        `organization_id`, another organization's connection is one that does not exist. `slot` names a
        token beside the main one.

        Raises `TokenUnavailable`; `DatabaseUnavailable` when Postgres is away.
        """
        ask = Ask(min_ttl_seconds, rejected, organization_id, slot)
        return self._run(self._token(connection_id, ask, wait_seconds))

    async def fresh_token_async(
        self,
        connection_id: UUID,
        *,
        min_ttl_seconds: float = 60.0,
        wait_seconds: float = WAIT_SECONDS,
        rejected: str | None = None,
        organization_id: str | None = None,
        slot: str | None = None,
    ) -> Served:
        """Does the same without blocking the event loop; concurrent reads share one statement."""
        ask = Ask(min_ttl_seconds, rejected, organization_id, slot)
        return await self._drive(self._token(connection_id, ask, wait_seconds))

    def refresh_now(
        self, connection_id: UUID, *, wait_seconds: float, organization_id: str | None = None
    ) -> RefreshResult:
        """Refreshes a connection whatever its token's life, or waits for who is at it already.

        Raises `TokenUnavailable` for a row that is unknown or parked, or still refreshed by another
        after `wait_seconds`.
        """
        return self._run(token_flow.refresh(connection_id, wait_seconds, organization_id))

    async def refresh_now_async(
        self, connection_id: UUID, *, wait_seconds: float, organization_id: str | None = None
    ) -> RefreshResult:
        """Does the same without blocking the event loop."""
        return await self._drive(token_flow.refresh(connection_id, wait_seconds, organization_id))

    def _token(
        self, connection_id: UUID, ask: Ask, wait_seconds: float
    ) -> Generator[token_flow.Step, Any, Served]:
        steps = token_flow.token if ask.slot is None else slot_flow.token
        return steps(self._services, connection_id, ask, wait_seconds)

    def _run(self, steps: Generator[token_flow.Step, Any, T]) -> T:
        answer: object = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            match step:
                case token_flow.Try(until=until) | token_flow.Await(until=until):
                    future = self._future(step)
                    with suppress(TimeoutError, CancelledError):
                        future.exception(max(0.0, until - time.monotonic()))
                    answer = _answer(future)
                case token_flow.Sleep(seconds):
                    time.sleep(seconds)
                case _:
                    answer = self._reading.read(step)

    async def _drive(self, steps: Generator[token_flow.Step, Any, T]) -> T:
        answer: object = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            match step:
                case token_flow.Try(until=until) | token_flow.Await(until=until):
                    future = self._future(step)
                    await _settled(future, max(0.0, until - time.monotonic()))
                    answer = _answer(future)
                case token_flow.Sleep(seconds):
                    await asyncio.sleep(seconds)
                case _:
                    answer = await self._reading.read_async(step)

    def _future(self, step: token_flow.Pending) -> Future[Any]:
        """Returns what the step waits for; nothing of it is cut short when nobody waits any more."""
        if isinstance(step, token_flow.Try):
            return self._flights.fly(step.root_id, step.lease_token, step.whose)
        own = self._flights.flying(step.root_id)
        return own or self._leases.ended(step.root_id, step.lease_token, step.until)


def _answer(future: Future[Any]) -> object:
    return future.result() if future.done() and not future.cancelled() else None


async def _settled(future: Future[Any], seconds: float) -> None:
    """Waits for a thread's future without the power to cancel it: others may wait for it, too."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # that loop has ended
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(tell)
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
