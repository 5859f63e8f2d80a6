"""An event loop on its own thread: who sends may be asynchronous, and who calls need not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import ParamSpec

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
            loop.stop()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
