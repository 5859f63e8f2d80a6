"""A proxy with TLS in front of a web process, as an operator has one: https outside, http within."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress


@contextmanager
def in_front_of(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Passes what comes by TLS on to this port, as it is; yields the port to come to."""
    proxy = _Proxy(port, context)
    # A thread of its own: Playwright's loop runs on the test's.
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve()), daemon=True)
    thread.start()
    try:
        yield proxy.listens_at.result(60)
    finally:
        proxy.stop()
        thread.join()


class _Proxy:
    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.listens_at: Future[int] = Future()
        self._within, self._context = port, context
        self._ends = asyncio.Event()

    async def serve(self) -> None:
        """Serves until it is stopped."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._joined, "127.0.0.1", 0, ssl=self._context)
        self.listens_at.set_result(server.sockets[0].getsockname()[1])
        await self._ends.wait()
        server.close()

    def stop(self) -> None:
        """Has it end, with all that it has open."""
        self._loop.call_soon_threadsafe(self._ends.set)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        within, out = await asyncio.open_connection("127.0.0.1", self._within)
        try:
            await asyncio.gather(_pass(reader, out), _pass(within, writer))
        finally:
            out.transport.abort()
            writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what comes until one side ends, and has the other end then."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
