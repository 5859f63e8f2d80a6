"""Knows the open sockets, so that an answer can be cut off and a client that left can be noticed.

Hooks only what asyncio promises (`connection_made`, `connection_lost`) and finds a request's socket
by the peer address in its ASGI scope. What to cut off is decided in `token_endpoint.py`.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

Scope = MutableMapping[str, Any]
Peer = tuple[str, int]


class Connections:
    """The sockets that are open now, by peer address; used on the server's event loop only."""

    def __init__(self) -> None:
        """Starts with none."""
        self._open: dict[Peer, tuple[asyncio.Transport, asyncio.Event]] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """Notes a new socket, unless its client has already gone."""
        peername = transport.get_extra_info("peername")
        if peername:
            self._open[peername[:2]] = (transport, asyncio.Event())

    def closed(self, transport: asyncio.Transport) -> None:
        """Forgets a socket and wakes whoever waits for its end."""
        peername = transport.get_extra_info("peername")
        found = self._open.get(peername[:2]) if peername else None
        if found is not None and found[0] is transport:
            del self._open[peername[:2]]
            found[1].set()

    def is_open(self, scope: Scope) -> bool:
        """Says whether the client of this request is still there to hear the answer."""
        return _peer(scope) in self._open

    async def abort(self, scope: Scope) -> None:
        """Closes the request's socket at once, without an answer; returns when it is closed."""
        found = self._open.get(_peer(scope))
        if found is not None:
            found[0].abort()
            await found[1].wait()

    async def close(self, scope: Scope) -> None:
        """Closes the request's socket after what was already written; returns when it is closed."""
        found = self._open.get(_peer(scope))
        if found is not None:
            found[0].close()
            await found[1].wait()

    def abort_all(self) -> None:
        """Closes every socket at once; for the provider's own end."""
        for transport, _ in list(self._open.values()):
            transport.abort()


class _Tracked(H11Protocol):
    """uvicorn's HTTP protocol, reporting to its `registry`."""

    registry: ClassVar[Connections]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Set by uvicorn from the embedding process's logging; a query string may hold a token.
        self.access_log = False
        self.registry.opened(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.registry.closed(self.transport)


def tracking_protocol(registry: Connections) -> type[asyncio.Protocol]:
    """Returns an HTTP protocol whose connections are listed in `registry`.

    It is h11's, whatever else is installed, so that every machine sees the same dropped sockets.
    """
    return type("TrackedProtocol", (_Tracked,), {"registry": registry})


def _peer(scope: Scope) -> Peer:
    host, port = scope.get("client") or ("", 0)
    return host, port
