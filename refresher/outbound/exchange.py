"""The only place that sends HTTP: `TokenRequest` in, `Reply` out; a time-out is a `Reply` too.

`Exchange.stream` sends many requests at once from one event loop a process and hands the replies over
as they arrive, so that a fast one never waits for a slow one, while the story that calls it stays
synchronous. Who sends: `sender.py`. What a reply means is `rules/outcomes.py`'s business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import field
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from refresher.errors import SettingsError
from refresher.outbound.certified import CertifiedSenders
from refresher.outbound.choosing import choose_sender, is_fast, new_loop
from refresher.outbound.egress import Egress
from refresher.outbound.loop import MOST_REPLIES, Arrivals, Awaited, LoopThread, Stream
from refresher.outbound.sender import (
    CANCELLED,
    NO_SENDER,
    UNSENDABLE,
    Sender,
    SenderName,
    SendLimits,
    Watcher,
    Wire,
    write,
)
from refresher.outbound.turns import FairQueue, Parties, Turns
from refresher.rules.connection import value
from refresher.rules.outcomes import UNSENT, Reply
from refresher.rules.requests import TokenRequest

K = TypeVar("K")

log = structlog.get_logger()


@value
class Outgoing(Generic[K]):
    """A request, the caller's key for it, and how long it may wait for its turn to be sent.

    `whose` it is: nobody has all places while others wait (`turns.py`), and no host.
    """

    key: K
    request: TokenRequest | Wire
    start_within_seconds: float
    whose: str | None = None
    made_at: float = field(default_factory=time.monotonic)
    again: Callable[[Reply], TokenRequest | None] | None = field(default=None, compare=False)
    """What is sent next after a reply, in the same place; its own reply counts then."""


_Waiting = tuple[Outgoing[Any], Wire | None, Arrivals[Any] | Awaited[Any]]
"""A request in the line, as it is written, None when it cannot be; and where its reply goes."""


class Exchange:
    """One event loop on a thread of its own, started at the first use (after any fork).

    It goes where `egress` lets it: to public addresses only, unless told otherwise. Raises
    `SettingsError` at once for a sender that is asked for and not installed.
    """

    def __init__(
        self,
        limits: SendLimits,
        sender: Sender | None = None,
        *,
        name: SenderName = "auto",
        egress: Egress | None = None,
        turns: Turns | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self._watcher = watcher
        self._limits = limits
        self._name = name
        self.egress = egress or Egress()
        self._fast = sender is None and is_fast(name)
        self._sender = sender
        self._certified = CertifiedSenders(
            partial(choose_sender, limits, self.egress, name, watcher)
        )
        self._loop = LoopThread("exchange", self._prepare, self._farewell)
        self._waiting: FairQueue[_Waiting] = FairQueue(limits.max_in_flight)
        self._places: set[asyncio.Task[None] | None] = set()
        self.turns = turns or Turns()

    def stream(
        self,
        outgoing: Sequence[Outgoing[K]],
        again: Callable[[], float | None] = lambda: None,
    ) -> Stream[tuple[K, Reply]]:
        """Sends all requests, at once; yields their replies in groups, as they arrive.

        While `again` tells a number of seconds, at least so often, also a group without any.

        Every request yields exactly one reply, also when it was never sent (`failure="unsent"`):
        its place was not had in time, or this exchange is closed.
        """
        arrivals: Arrivals[tuple[K, Reply]] = Arrivals(len(outgoing))
        waiting = [(item, _written(item.request), arrivals) for item in outgoing]
        failure = self._hand_over(waiting) if waiting else None
        if failure is not None:
            return Stream(_refused(outgoing, failure))
        return Stream(arrivals.groups(self.turns, again), arrivals.ready)

    async def ask(self, outgoing: Outgoing[K]) -> Reply:
        """Sends one request from a coroutine, which waits for the reply on no thread.

        Who is cancelled waits no more; the request goes on.
        """
        answer: Future[tuple[K, Reply]] = Future()
        waiting: _Waiting = (outgoing, _written(outgoing.request), Awaited(answer))
        failure = await asyncio.to_thread(self._hand_over, [waiting])  # it may start the loop
        if failure is not None:
            return Reply(failure=failure, sent=False)
        return (await asyncio.shield(asyncio.wrap_future(answer)))[1]

    def open(self) -> None:
        """Starts now instead of at the first use; raises `SettingsError` for unusable proxies."""
        self._loop.start()

    def close(self) -> None:
        """Cancels what is still under way (its replies say so) and stops the loop, for good."""
        self._loop.close()
        self.egress.close()

    def _hand_over(self, batch: Sequence[_Waiting]) -> str | None:
        """Gives the batch to the loop; returns why not."""
        try:
            return None if self._loop.call(self._launch, batch) else UNSENT
        except SettingsError as error:
            log.error("cannot send", why=str(error))  # noqa: TRY400  a sentence, no traceback
            return NO_SENDER

    def _prepare(self) -> asyncio.AbstractEventLoop:
        self._sender = self._sender or choose_sender(
            self._limits, self.egress, self._name, self._watcher
        )
        return new_loop(fast=self._fast)

    def _launch(self, batch: Sequence[_Waiting]) -> None:
        """Puts a batch in the line, and has it sent with the places that are free.

        A place is a task that sends one request after the other: a task for each would cost a tenth
        of the exchange.
        """
        for waiting in batch:
            self._waiting.add(_parties(waiting[0]), waiting)
        self._fill()

    def _fill(self) -> None:
        loop = asyncio.get_running_loop()
        free = self._limits.max_in_flight - len(self._places)
        for _ in range(min(free, len(self._waiting))):
            self._places.add(loop.create_task(self._send_waiting()))

    async def _send_waiting(self) -> None:
        try:
            while (taken := self._waiting.take()) is not None:
                parties, (item, wire, arrivals) = taken
                try:
                    reply = await self._send(item, wire)
                except asyncio.CancelledError:
                    arrivals.add((item.key, Reply(failure=CANCELLED)))
                    raise
                finally:
                    self._waiting.done(parties)
                arrivals.add((item.key, reply))
                self._fill()  # who waited aside for this one's share may be more than the next
        finally:
            self._places.discard(asyncio.current_task())  # in one breath with the look at the line

    async def _send(self, item: Outgoing[Any], wire: Wire | None) -> Reply:
        started = time.monotonic()
        if started > item.made_at + item.start_within_seconds:
            return Reply(failure=UNSENT, sent=False)
        if wire is None:
            return Reply(failure=UNSENDABLE, sent=False)
        reply = await self._sent(wire)
        while item.again is not None and (wire := _next(item, reply)) is not None:
            reply = await self._sent(wire)
        return _with_elapsed(reply, time.monotonic() - started)

    async def _sent(self, wire: Wire) -> Reply:
        assert self._sender is not None
        try:
            certificate = wire.certificate
            return (
                await self._sender.send(wire)
                if certificate is None
                else await self._certified.send(certificate, wire)
            )
        except Exception as error:  # noqa: BLE001  the caller counts on a reply for each request
            return Reply(failure=f"bug in the sender: {type(error).__name__}")

    async def _farewell(self) -> None:
        """Answers what has not had its turn, and closes the connections."""
        for item, _, arrivals in self._waiting.drain():
            arrivals.add((item.key, Reply(failure=UNSENT, sent=False)))
        if self._sender is not None:
            await self._sender.close()
        await self._certified.close()


def _refused(outgoing: Sequence[Outgoing[K]], failure: str) -> Iterator[list[tuple[K, Reply]]]:
    for start in range(0, len(outgoing), MOST_REPLIES):
        group = outgoing[start : start + MOST_REPLIES]
        yield [(item.key, Reply(failure=failure, sent=False)) for item in group]


def _parties(item: Outgoing[Any]) -> Parties:
    return item.whose, item.request.url.partition("//")[2].partition("/")[0]


def _next(item: Outgoing[Any], reply: Reply) -> Wire | None:
    """Returns what follows from a reply while there is time; where that fails, the reply stands."""
    assert item.again is not None
    if time.monotonic() > item.made_at + item.start_within_seconds:
        return None
    try:
        request = item.again(reply)
        return write(request) if request is not None else None
    except Exception as error:  # noqa: BLE001  the reply is in hand
        log.error("cannot ask again", why=type(error).__name__)  # noqa: TRY400
        return None


def _written(request: TokenRequest | Wire) -> Wire | None:
    if isinstance(request, Wire):
        return request
    try:
        return write(request)
    except (ValueError, TypeError):
        return None


def _with_elapsed(reply: Reply, seconds: float) -> Reply:
    return Reply(reply.status, reply.headers, reply.body, reply.failure, reply.sent, seconds)
