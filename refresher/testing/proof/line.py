"""What stands in for the network between a sender and the server's application: a function call."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from refresher.devkit.oauth_server.state import Connections
from refresher.outbound.sender import PLAIN, PROTOCOL, READ_HEADERS, TIMEOUT, Wire
from refresher.rules.connection import Reply

_numbers = count(1)


def send(app: ASGIApp, connections: Connections, wire: Wire) -> Reply:
    """Returns what a sender would for these bytes.

    The application is run to its end at once: it may wait for nothing that is not there.
    """
    messages, is_cut = _said(app, connections, wire)
    return _reply(messages, cut=is_cut)


def visit(app: ASGIApp, connections: Connections, url: str) -> tuple[int, str]:
    """Returns the status that a browser sees at a URL, and where that leads; or what the page says."""
    messages, _ = _said(app, connections, Wire(None, url, {}, None, "GET"))
    headers = {k.decode().lower(): v.decode() for k, v in messages[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in messages[1:]).decode()
    return messages[0]["status"], headers.get("location", body)


def _said(
    app: ASGIApp, connections: Connections, wire: Wire
) -> tuple[list[Mapping[str, Any]], bool]:
    """Returns what the application said, and whether it closed the connection."""
    peer = _Peer(connections)
    messages: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": wire.content or b"", "more_body": False}

    async def take(message: Mapping[str, Any]) -> None:
        messages.append(message)

    running = app(_scope(wire, peer), receive, take)
    try:
        running.__await__().__next__()
    except StopIteration:
        return messages, peer.is_closed
    finally:
        peer.abort()
    raise AssertionError("the server waits for something that is not there")


class _Peer:
    """The other end of a connection, as the server's list of sockets sees it."""

    def __init__(self, connections: Connections) -> None:
        self.address = ("test", next(_numbers))
        self.is_closed = False
        self._connections = connections
        connections.opened(self)  # type: ignore[arg-type]

    def get_extra_info(self, _: str) -> tuple[str, int]:
        return self.address

    def abort(self) -> None:
        self.is_closed = True
        self._connections.closed(self)  # type: ignore[arg-type]

    close = abort


def _scope(wire: Wire, peer: _Peer) -> dict[str, Any]:
    parts = urlsplit(wire.url)
    headers = {**PLAIN, **wire.headers, "Host": parts.netloc}
    return {
        "type": "http",
        "method": wire.method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": peer.address,
    }


def _reply(messages: list[Mapping[str, Any]], *, cut: bool) -> Reply:
    if not messages:
        return Reply(failure=TIMEOUT)
    given = {k.decode().lower(): v.decode() for k, v in messages[0]["headers"]}
    headers = {name: given[name] for name in READ_HEADERS if name in given}
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return Reply(messages[0]["status"], headers, body, PROTOCOL if cut else None)
