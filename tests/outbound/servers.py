"""Tiny servers on real loopback sockets, each a coroutine that says exactly what goes over the wire.

A server runs on a thread of its own. What it saw (`connections`, `received`) is read by the test's
thread; a server that waits for the test waits for its `gate`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from tests.ports import LOOPBACK

TOKENS = b'{"access_token": "fresh", "refresh_token": "next"}'


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The parameters in the body."""
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))

    @property
    def query(self) -> dict[str, str]:
        """The parameters in the target."""
        return dict(parse_qsl(urlsplit(self.target).query, strict_parsing=True))


def answer(body: bytes = TOKENS, status: str = "200 OK", *headers: str) -> bytes:
    """Returns a whole response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def _rounds() -> None:
    """Lets the loop do what it was asked to do soon."""
    for _ in range(20):
        await asyncio.sleep(0)


class Peer:
    """One client's connection, as the server has it."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> Received:
        """Reads the next request and notes it; raises `EOFError` when the client has left."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        received = Received(method, target, headers, body)
        self.server.received.append(received)
        return received

    async def say(self, data: bytes) -> None:
        """Sends bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def left(self) -> None:
        """Returns when the client has closed its side."""
        while await self.reader.read(65_536):
            pass


Handler = Callable[[Peer], Awaitable[None]]


class Server:
    """Calls `handler` for each connection, and closes that when the handler returns."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.abandoned = 0
        self.received: list[Received] = []
        self._handler = handler
        self._tls = tls
        self._peers: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._listening.wait(60)

    def url(self, path: str = "/token", host: str = LOOPBACK) -> str:
        """Returns the URL of a path here."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def open_gate(self) -> None:
        """Lets the handlers that wait for `gate` go on."""
        self._loop.call_soon_threadsafe(self.gate.set)

    def close(self) -> None:
        """Drops every connection."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.gate, self._stop = asyncio.Event(), asyncio.Event()
        listener = await asyncio.start_server(
            self._accept, LOOPBACK, 0, ssl=self._tls, backlog=1_024
        )
        self.port = int(listener.sockets[0].getsockname()[1])
        self._listening.set()
        await self._stop.wait()
        listener.close()
        await _rounds()  # what was accepted a moment ago becomes a peer
        for peer in self._peers:
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)
        # A task that was cancelled before its first step has closed nothing.
        for transport in self._transports:
            transport.abort()
        await _rounds()  # an abort takes effect in the next ones

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._transports.add(writer.transport)
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._peers.add(task)
        task.add_done_callback(self._peers.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handler(Peer(self, reader, writer))
        except (EOFError, OSError):
            self.abandoned += 1
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._transports.discard(writer.transport)
