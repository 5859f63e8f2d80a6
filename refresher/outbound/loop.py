"""An event loop on a thread of its own, and the way back of its results.

Who sends may be asynchronous, and who calls need not. Results come in groups: one wake-up a group
instead of one a result, for at some thousand replies a second, waking costs more than sending. Nothing
here knows what a reply is.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from refresher.outbound.turns import Turns

P = ParamSpec("P")
CLOSE_SECONDS = 5.0


class LoopThread:
    """Started at the first use (after any fork), closed for good; safe to use from several threads.

    `prepare` makes the loop and whatever runs on it; `farewell` closes that, on the loop, at the end.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[], asyncio.AbstractEventLoop],
        farewell: Callable[[], Awaitable[None]],
    ) -> None:
        self._name, self._prepare, self._farewell = name, prepare, farewell
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Starts now instead of at the first use; raises what `prepare` raises."""
        with self._lock:
            self._start()

    def call(self, work: Callable[P, object], *given: P.args, **named: P.kwargs) -> bool:
        """Has `work` called on the loop; returns False when this is closed.

        Under the lock: a loop must not end between the look and the call.
        """
        with self._lock:
            if self._closed:
                return False
            self._start().call_soon_threadsafe(lambda: work(*given, **named))
            return True

    def close(self) -> None:
        """Cancels all that is still under way on the loop, and ends the thread."""
        with self._lock:
            loop, self.loop, self._closed = self.loop, None, True
        if loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._shut_down(), loop)
        self._thread.join(timeout=3 * CLOSE_SECONDS)

    def _start(self) -> asyncio.AbstractEventLoop:
        if self.loop is None:
            self.loop = self._prepare()
            self._thread = threading.Thread(
                target=_run, args=(self.loop,), name=self._name, daemon=True
            )
            self._thread.start()
        return self.loop

    async def _shut_down(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=CLOSE_SECONDS)
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._farewell()
        finally:
            # Behind what is to be done soon: a connection that closed just now gives its socket back.
            loop.call_soon(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


T = TypeVar("T")
MOST_REPLIES = 100
GATHER_SECONDS = 0.005
"""A group is what arrives within 5 ms of its first, at most 100."""


class Arrivals(Generic[T]):
    """The way back of one batch, whose size is known. The loop's thread adds, one other reads."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._missing = expected
        self._ready: deque[T] = deque()
        self._wake = threading.Event()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: T) -> None:
        """Takes one in; called on the loop's thread only."""
        self._ready.append(item)
        self._missing -= 1
        if self._missing == 0 or len(self._ready) >= MOST_REPLIES:
            self._tell()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._tell)

    def groups(
        self, turns: Turns | None = None, again: Callable[[], float | None] = lambda: None
    ) -> Iterator[list[T]]:
        """Yields until all expected have come; what came during the caller's work goes at once.

        With `turns`, the caller works on a group in a turn; what comes while it waits for the turn is
        in the group. `again` tells within how many seconds to yield even if nothing came.
        """
        turn = (
            partial(turns.turn, replies=True, alone=self._expected == 1) if turns else nullcontext
        )
        left = self._expected
        while left:
            woken = self._wake.wait(again())
            with turn():
                group = self._take()
                left -= len(group)
                if group or not woken:
                    yield group

    def ready(self) -> list[T]:
        """Returns what has come and is not read yet; it stays to be read. From any thread."""
        while True:
            try:
                return list(self._ready)
            except RuntimeError:  # one came in the middle of the look
                continue

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.set()

    def _take(self) -> list[T]:
        self._wake.clear()  # before the look: what is added after it sets it again
        group = [self._ready.popleft() for _ in range(min(len(self._ready), MOST_REPLIES))]
        if self._ready:
            self._wake.set()
        return group


class Awaited(Generic[T]):
    """The way back of one result to who awaits it on another loop."""

    def __init__(self, answer: Future[T]) -> None:
        self._answer = answer

    def add(self, item: T) -> None:
        """Takes it in."""
        self._answer.set_result(item)


class Stream(Iterator[list[T]]):
    """The groups of one batch, and a look at what waits to be read, for who cannot wait for that."""

    def __init__(self, groups: Iterator[list[T]], ready: Callable[[], list[T]] = list) -> None:
        self._groups = groups
        self.ready = ready

    def __next__(self) -> list[T]:
        """Returns the next group."""
        return next(self._groups)
