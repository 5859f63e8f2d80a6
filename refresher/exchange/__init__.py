"""The only place that sends HTTP: `TokenRequest` in, `Reply` out; a time-out is a `Reply` too.

`Exchange.stream` sends many requests at once from one event loop a process and hands the replies over
as they arrive, so that a fast one never waits for a slow one, while the story that calls it stays
synchronous. Who sends: `sender.py`. What a reply means is `rules/outcomes.py`'s business.
"""

from __future__ import annotations

import asyncio
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
from refresher.exchange.loop_thread import LoopThread
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
        self._loop = LoopThread("exchange", self._prepare, self._close_sender)
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
        self._loop.start()

    def close(self) -> None:
        """Cancels what is still under way (its replies say so) and stops the loop, for good."""
        self._loop.close()
        self._egress.close()

    def _hand_over(
        self, outgoing: Sequence[Outgoing[K]], arrivals: Arrivals[tuple[K, Reply]]
    ) -> str | None:
        """Gives the batch to the loop; returns why not."""
        try:
            return None if self._loop.call(self._launch, outgoing, arrivals) else UNSENT
        except SettingsError as error:
            log.error("cannot send", why=str(error))  # noqa: TRY400  a sentence, no traceback
            return NO_SENDER

    def _prepare(self) -> asyncio.AbstractEventLoop:
        self._sender = self._sender or choose_sender(self._limits, self._egress, self._name)
        return _new_loop(fast=self._fast)

    async def _close_sender(self) -> None:
        if self._sender is not None:
            await self._sender.close()

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


def _arrive(arrivals: Arrivals[tuple[K, Reply]], key: K, task: asyncio.Task[Reply]) -> None:
    arrivals.add((key, _reply_of(task)))


def _reply_of(task: asyncio.Task[Reply]) -> Reply:
    if task.cancelled():
        return Reply(failure=CANCELLED)
    error = task.exception()
    return Reply(failure=f"bug in the sender: {type(error).__name__}") if error else task.result()


def _with_elapsed(reply: Reply, seconds: float) -> Reply:
    return Reply(reply.status, reply.headers, reply.body, reply.failure, reply.sent, seconds)
