"""What the servers of these tests do with a connection: answer well, badly, slowly or never."""

from __future__ import annotations

import asyncio

from tests.outbound.servers import TOKENS, Handler, Peer, answer
from tests.ports import LOOPBACK


def always(response: bytes) -> Handler:
    """Answers every request with the same bytes, on a kept-alive connection."""

    async def handle(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(response)

    return handle


def once(response: bytes) -> Handler:
    """Answers one request with these bytes and hangs up."""

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.say(response)

    return handle


good = always(answer(TOKENS, "200 OK", "Content-Type: application/json", "Retry-After: 7"))


async def silent(peer: Peer) -> None:
    """Takes the request and never answers."""
    await peer.request()
    await peer.left()
    raise EOFError


async def deaf(peer: Peer) -> None:
    """Accepts the connection and reads nothing: no TLS handshake ever ends."""
    await peer.server.gate.wait()


async def dripping(peer: Peer) -> None:
    """Sends one byte of a long body at a time, each in good time for a per-read limit."""
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await peer.say(b" ")
        await asyncio.sleep(0.02)


async def endless(peer: Peer) -> None:
    """Sends a body that has no end."""
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await peer.say(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")


async def quick_or_slow(peer: Peer) -> None:
    """Answers at once, except for `/slow`, which waits until the test opens the gate."""
    while True:
        request = await peer.request()
        if request.target == "/slow":
            await peer.server.gate.wait()
        await peer.say(answer())


async def proxying(peer: Peer) -> None:
    """A forward proxy: a tunnel for CONNECT, and its own answer to plain requests."""
    request = await peer.request()
    if request.method != "CONNECT":
        await peer.say(answer(b"from the proxy"))
        return
    port = int(request.target.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    await peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        await asyncio.gather(_pump(peer.reader, writer), _pump(reader, peer.writer))
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
