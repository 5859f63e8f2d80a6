"""The only place that sends HTTP: `TokenRequest` in, `Reply` out; a time-out is a `Reply` too.

`Exchange.stream` sends many requests at once from one event loop a process and hands the replies over
as they arrive, so that a fast one never waits for a slow one, while the story that calls it stays
synchronous. Who sends: `sender.py`. What a reply means is `rules/outcomes.py`'s business.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import structlog

from refresher.errors import SettingsError
from refresher.exchange.arrivals import GATHER_SECONDS, MOST_REPLIES, Arrivals
from refresher.exchange.egress import NAME_LOOKUPS, Egress
from refresher.exchange.sender import (
    CANCELLED,
    NO_SENDER,
    Limits,
    Sender,
    SenderName,
    choose_sender,
    is_fast,
)
from refresher.exchange.turns import Turns
from refresher.rules.outcomes import UNSENT, Reply
from refresher.rules.providers import TokenRequest

__all__ = ["GATHER_SECONDS", "MOST_REPLIES", "Egress", "Exchange", "Limits", "Outgoing", "Sender"]

K = TypeVar("K")
CLOSE_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outgoing(Generic[K]):
    """A request, the caller's key for it, and how long it may wait for its turn to be sent."""

    key: K
    request: TokenRequest
    start_within_seconds: float
    made_at: float = field(default_factory=time.monotonic)


class Exchange:
    """One event loop on a thread of its own, started at the first use (after any fork).

    It goes where `egress` lets it: to public addresses only, unless told otherwise. Raises
    `SettingsError` at once for a sender that is asked for and not installed.
    """

    def __init__(
        self,
        limits: Limits,
        sender: Sender | None = None,
        *,
        name: SenderName = "auto",
        egress: Egress | None = None,
    ) -> None:
        self._limits = limits
        self._name = name
        self._egress = egress or Egress()
        self._fast = sender is None and is_fast(name)
        self._sender = sender
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._places = asyncio.Semaphore(limits.max_in_flight)
        self.turns = Turns()

    def stream(self, outgoing: Sequence[Outgoing[K]]) -> Iterator[list[tuple[K, Reply]]]:
        """Sends all requests and yields their replies in groups, as they arrive.

        Every request yields exactly one reply, also when it was never sent (`failure="unsent"`):
        its place was not had in time, or this exchange is closed.
        """
        arrivals: Arrivals[tuple[K, Reply]] = Arrivals(len(outgoing))
        failure = self._hand_over(outgoing, arrivals) if outgoing else None
        if failure is None:
            yield from arrivals.groups(self.turns)
            return
        for start in range(0, len(outgoing), MOST_REPLIES):
            group = outgoing[start : start + MOST_REPLIES]
            yield [(item.key, Reply(failure=failure, sent=False)) for item in group]

    def open(self) -> None:
        """Starts now instead of at the first use; raises `SettingsError` for unusable proxies."""
        with self._lock:
            self._start()

    def close(self) -> None:
        """Cancels what is still under way (its replies say so) and stops the loop, for good."""
        with self._lock:
            loop, self._loop, self._closed = self._loop, None, True
        if loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._shut_down(), loop)
        self._thread.join(timeout=3 * CLOSE_SECONDS)
        self._egress.close()

    def _hand_over(
        self, outgoing: Sequence[Outgoing[K]], arrivals: Arrivals[tuple[K, Reply]]
    ) -> str | None:
        """Gives the batch to the loop; returns why not. Under the lock: a loop must not end between."""
        with self._lock:
            if self._closed:
                return UNSENT
            try:
                loop = self._start()
            except SettingsError as error:
                log.error("cannot send", why=str(error))  # noqa: TRY400  a sentence, no traceback
                return NO_SENDER
            loop.call_soon_threadsafe(self._launch, outgoing, arrivals)
            return None

    def _start(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._sender = self._sender or choose_sender(self._limits, self._egress, self._name)
            self._loop = _new_loop(fast=self._fast)
            self._thread = threading.Thread(
                target=_run, args=(self._loop,), name="exchange", daemon=True
            )
            self._thread.start()
        return self._loop

    def _launch(self, outgoing: Sequence[Outgoing[K]], arrivals: Arrivals[tuple[K, Reply]]) -> None:
        loop = asyncio.get_running_loop()
        for item in outgoing:
            start_before = item.made_at + item.start_within_seconds
            task = loop.create_task(self._one(item.request, start_before))
            task.add_done_callback(partial(_arrive, arrivals, item.key))

    async def _one(self, request: TokenRequest, start_before: float) -> Reply:
        assert self._sender is not None
        try:
            await self._places.acquire()
        except asyncio.CancelledError:
            return Reply(failure=UNSENT, sent=False)
        try:
            started = time.monotonic()
            if started > start_before:
                return Reply(failure=UNSENT, sent=False)
            reply = await self._sender.send(request)
            return _with_elapsed(reply, time.monotonic() - started)
        finally:
            self._places.release()

    async def _shut_down(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=CLOSE_SECONDS)
            if self._sender is not None:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._sender.close()
        finally:
            loop.stop()


def _new_loop(*, fast: bool) -> asyncio.AbstractEventLoop:
    """Returns uvloop's where it is installed, for pyreqwest only.

    httpx looks its proxies up through the loop, and uvloop has four threads for that.
    """
    if fast:
        try:
            import uvloop  # noqa: PLC0415  optional
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(NAME_LOOKUPS, thread_name_prefix="names"))
    return loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _arrive(arrivals: Arrivals[tuple[K, Reply]], key: K, task: asyncio.Task[Reply]) -> None:
    arrivals.add((key, _reply_of(task)))


def _reply_of(task: asyncio.Task[Reply]) -> Reply:
    if task.cancelled():
        return Reply(failure=CANCELLED)
    error = task.exception()
    return Reply(failure=f"bug in the sender: {type(error).__name__}") if error else task.result()


def _with_elapsed(reply: Reply, seconds: float) -> Reply:
    return Reply(reply.status, reply.headers, reply.body, reply.failure, reply.sent, seconds)
