"""What both clients are built on: operations carried out with threads, or with asyncio.

The methods of both are written once, in `asynchronous/`; `synchronous/` is made of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from refresher.client import connecting
from refresher.client.calls import Call, Page
from refresher.client.transport import Connected
from refresher.client.which import Which
from refresher.errors import TokenUnavailable
from refresher.rules.served import Served

if TYPE_CHECKING:
    import httpx

    from refresher.client.auth import ConnectionAuth

    ForThreads = Connected[httpx.Client]
    ForTasks = Connected[httpx.AsyncClient]
else:
    ForThreads = ForTasks = Connected

T = TypeVar("T")


class Opened(ForThreads):
    """Carries operations out with threads."""

    def close(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        if self._http is not None:
            self._http.close()
        if self._direct is not None:
            self._direct.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        try:
            if self._http is not None:
                return self._http.run(call)
            direct: Any = self._direct
            return call.here(direct)
        except TokenUnavailable as error:
            if call.of is not None:
                error.reconnects = partial(self._reconnect, call.of)
            raise

    def _pages(self, page: Callable[[str | None], Call[Page[T]]]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            found = self._run(page(cursor))
            yield from found.items
            cursor = found.next_cursor
            if cursor is None:
                return

    def _auth(self, ask: Callable[..., Served], remember_seconds: float) -> ConnectionAuth:
        from refresher.client.auth import ConnectionAuth

        async def ask_async(*, rejected: str | None) -> Served:
            import asyncio

            return await asyncio.to_thread(ask, rejected=rejected)

        return ConnectionAuth(ask, ask_async, remember_seconds=remember_seconds)

    def _reconnect(self, which: Which, **wishes: Any) -> connecting.ConnectStart:
        return self._run(connecting.reconnect(which, wishes))


class AsyncOpened(ForTasks):
    """Carries operations out with asyncio."""

    async def aclose(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        import asyncio

        if self._http is not None:
            await self._http.aclose()
        if self._direct is not None:
            await asyncio.to_thread(self._direct.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, call: Call[T]) -> T:
        import asyncio

        try:
            if self._http is not None:
                return await self._http.run_async(call)
            direct: Any = self._direct
            if call.here_async is not None:
                return await call.here_async(direct)
            return await asyncio.to_thread(call.here, direct)
        except TokenUnavailable as error:
            if call.of is not None:
                error.reconnects = partial(self._reconnect, call.of)
            raise

    async def _pages(self, page: Callable[[str | None], Call[Page[T]]]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            found = await self._run(page(cursor))
            for item in found.items:
                yield item
            cursor = found.next_cursor
            if cursor is None:
                return

    def _auth(
        self, ask: Callable[..., Awaitable[Served]], remember_seconds: float
    ) -> ConnectionAuth:
        from refresher.client.auth import ConnectionAuth

        return ConnectionAuth(None, ask, remember_seconds=remember_seconds)

    async def _reconnect(self, which: Which, **wishes: Any) -> connecting.ConnectStart:
        return await self._run(connecting.reconnect(which, wishes))


class Part:
    """Some of what a client does, under a name of its own."""

    def __init__(self, opened: Opened) -> None:
        self._run, self._pages = opened._run, opened._pages  # noqa: SLF001  it is a part of it


class AsyncPart:
    """Some of what an asynchronous client does, under a name of its own."""

    def __init__(self, opened: AsyncOpened) -> None:
        self._run, self._pages = opened._run, opened._pages  # noqa: SLF001  it is a part of it
