"""The only place that sends HTTP: `TokenRequest` in, `Reply` out; a time-out is a `Reply` too.

`Exchange.stream` sends many requests at once from one event loop a process and hands the replies over
as they arrive, so that a fast one never waits for a slow one, while the story that calls it stays
synchronous. What a reply means is `rules/outcomes.py`'s business.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from refresher.rules.outcomes import UNSENT, Reply
from refresher.rules.providers import TokenRequest

K = TypeVar("K")
MOST_REPLIES = 100
GATHER_SECONDS = 0.005
"""Replies are handed over in groups: what arrives within 5 ms, at most 100."""


@dataclass(frozen=True, slots=True)
class Outgoing(Generic[K]):
    """A request, the caller's key for it, and how long it may wait for its turn to be sent."""

    key: K
    request: TokenRequest
    start_within_seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and size limits of one exchange."""

    connect_seconds: float = 5.0
    total_seconds: float = 20.0
    max_bytes: int = 1_048_576
    max_in_flight: int = 200


class Sender(Protocol):
    """Sends one request. Never raises for what the network or the provider does."""

    async def send(self, request: TokenRequest) -> Reply:
        """Returns the reply within the time limits."""

    async def close(self) -> None:
        """Closes the connections."""


class Exchange:
    """One event loop on a thread of its own, started at the first use (after any fork)."""

    def __init__(self, limits: Limits, sender: Sender | None = None) -> None:
        self._limits = limits
        self._given = sender
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sender: Sender | None = None
        self._places = asyncio.Semaphore(limits.max_in_flight)

    def stream(self, outgoing: Sequence[Outgoing[K]]) -> Iterator[list[tuple[K, Reply]]]:
        """Sends all requests and yields their replies in groups, as they arrive.

        Every request yields exactly one reply, also when it was never sent (`failure="unsent"`).
        """
        arrived: SimpleQueue[tuple[K, Reply]] = SimpleQueue()
        loop = self._started()
        loop.call_soon_threadsafe(self._launch, outgoing, arrived)
        missing = len(outgoing)
        while missing:
            replies = _gather(arrived, missing)
            missing -= len(replies)
            yield replies

    def close(self) -> None:
        """Cancels what is still under way (its replies say so) and stops the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._shut_down(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._run, args=(self._loop,), name="exchange", daemon=True
                ).start()
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _launch(
        self, outgoing: Sequence[Outgoing[K]], arrived: SimpleQueue[tuple[K, Reply]]
    ) -> None:
        if self._sender is None:
            self._sender = self._given or choose_sender(self._limits)
        for item in outgoing:
            task = asyncio.ensure_future(self._one(item, time.monotonic()))
            task.add_done_callback(partial(_arrive, arrived, item.key))

    async def _one(self, item: Outgoing[K], queued_at: float) -> Reply:
        async with self._places:
            if time.monotonic() - queued_at > item.start_within_seconds:
                return Reply(failure=UNSENT, sent=False)
            sent_at = time.monotonic()
            assert self._sender is not None
            reply = await self._sender.send(item.request)
            return _with_elapsed(reply, time.monotonic() - sent_at)

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*others, return_exceptions=True)
        if self._sender is not None:
            await self._sender.close()


def choose_sender(limits: Limits) -> Sender:
    """Returns the sender for this process."""
    from refresher.exchange.httpx_sender import HttpxSender  # noqa: PLC0415  imported where needed

    return HttpxSender(limits)


def _gather(arrived: SimpleQueue[tuple[K, Reply]], missing: int) -> list[tuple[K, Reply]]:
    replies = [arrived.get()]
    until = time.monotonic() + GATHER_SECONDS
    most = min(missing, MOST_REPLIES)
    while len(replies) < most:
        try:
            replies.append(arrived.get(timeout=max(0.0, until - time.monotonic())))
        except Empty:
            break
    return replies


def _arrive(arrived: SimpleQueue[tuple[K, Reply]], key: K, task: asyncio.Task[Reply]) -> None:
    arrived.put((key, _reply_of(task)))


def _reply_of(task: asyncio.Task[Reply]) -> Reply:
    if task.cancelled():
        return Reply(failure="cancelled")
    error = task.exception()
    return Reply(failure=f"bug in the sender: {type(error).__name__}") if error else task.result()


def _with_elapsed(reply: Reply, seconds: float) -> Reply:
    return Reply(reply.status, reply.headers, reply.body, reply.failure, reply.sent, seconds)
