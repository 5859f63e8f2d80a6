"""A token endpoint that answers every request with one fixed token pair, as fast as Python can.

For measuring what sends to it, never for judging what is sent: it reads no parameter and checks no
secret. The provider that does, with faults and a ledger, is `refresher.devkit.oauth_server`.

    python -m bench.refreshes.instant_provider --latency-seconds 0.2 --port-file /tmp/port
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

BODY = json.dumps(
    {
        "access_token": "a" * 120,
        "refresh_token": "r" * 64,
        "expires_in": 3600,
        "token_type": "Bearer",
    }
).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class TokenEndpoint(asyncio.Protocol):
    """One kept-alive connection; requests may come in pieces, or several at once."""

    def __init__(self, latency_seconds: float) -> None:
        self._latency_seconds = latency_seconds
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Notes where answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each request that is complete now."""
        self._received += data
        while length := _first_request(self._received):
            self._received = self._received[length:]
            if self._latency_seconds:
                asyncio.get_running_loop().call_later(self._latency_seconds, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


def _first_request(received: bytes) -> int:
    """Returns the length of the first request in `received`, or 0 while it is not complete."""
    head, end, _ = received.partition(b"\r\n\r\n")
    if not end:
        return 0
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    body = int(rest.split(b"\r\n", 1)[0]) if named else 0
    length = len(head) + len(end) + body
    return length if len(received) >= length else 0


async def serve(port: int, latency_seconds: float, port_file: Path | None) -> None:
    """Listens until SIGTERM or Ctrl+C; prints one JSON line with the URL once it does."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = await loop.create_server(
        lambda: TokenEndpoint(latency_seconds), "127.0.0.1", port, backlog=4_096
    )
    bound = server.sockets[0].getsockname()[1]
    if port_file is not None:
        unfinished = port_file.with_name(f"{port_file.name}.{os.getpid()}")
        unfinished.write_text(f"{bound}\n")
        unfinished.replace(port_file)
    told = {"url": f"http://127.0.0.1:{bound}/token", "pid": os.getpid()}
    print(json.dumps(told), flush=True)
    await stopping.wait()
    server.close()


def main() -> None:
    """Reads the command line and serves, on uvloop where it is installed."""
    parser = argparse.ArgumentParser(description="A token endpoint with one fixed answer.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port here once it listens")
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(serve(given.port, given.latency_seconds, given.port_file))


def _fast_loop() -> Any:
    try:
        import uvloop  # noqa: PLC0415  optional
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
