"""Everything one fake provider remembers while it runs: its open sockets, clock, dice and books.

Touched by one event loop only, so nothing here is locked. Sockets are known so that an answer can be
cut off and a client that left be noticed: by what asyncio promises (`connection_made`,
`connection_lost`), found by the peer address in a request's ASGI scope.
"""

import asyncio
import os
import random
import time
from collections.abc import MutableMapping
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from refresher.devkit.oauth_server.consent.codes import CodeBook
from refresher.devkit.oauth_server.faults import FaultBoard
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.ledger import Ledger
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import Mint

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


_KEY_BYTES = 32


class Clock:
    """The provider's own time: the machine's, shifted by whatever `/admin/clock` asked for."""

    def __init__(self) -> None:
        """Starts in step with the machine."""
        self.shift_seconds = 0.0
        self._stopped_at: float | None = None

    def stop(self) -> None:
        """Stands still from now on, but for what `shift_seconds` adds."""
        self._stopped_at = time.time()

    def now(self) -> float:
        """Returns the provider's time in seconds since 1970."""
        machine = time.time() if self._stopped_at is None else self._stopped_at
        return machine + self.shift_seconds


class Pauses:
    """Sleeps that end early when the provider stops, so that a stop never waits for a fault."""

    def __init__(self) -> None:
        """Starts with nobody asleep."""
        self._asleep: set[asyncio.Future[None]] = set()
        self._is_stopping = False

    async def sleep(self, seconds: float) -> None:
        """Waits; returns at once when the provider is stopping."""
        if seconds <= 0 or self._is_stopping:
            return
        loop = asyncio.get_running_loop()
        waking: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, waking)
        self._asleep.add(waking)
        try:
            await waking
        finally:
            timer.cancel()
            self._asleep.discard(waking)

    def stop(self) -> None:
        """Wakes everybody, for good."""
        self._is_stopping = True
        for waking in self._asleep:
            _wake(waking)


def seeded(purpose: str, seed: int) -> random.Random:
    """Returns dice that fall the same way in every run."""
    # They must be repeatable, and nothing is guarded by them.
    return random.Random(f"{purpose}-{seed}")  # noqa: S311


def _wake(waking: asyncio.Future[None]) -> None:
    if not waking.done():
        waking.set_result(None)


class ProviderState:
    """Options, clients, grants, faults and ledger of one provider.

    Rotation, faults and spread roll separate dice of one seed, so that adding a fault rule does not
    change which refreshes rotate.
    """

    def __init__(self, options: Options) -> None:
        """Starts with one client and no grants; tokens of other runs are strangers to this one."""
        self.options = options
        self.clients = {options.client_id: options.client_secret}
        self.keys: dict[str, str] = {}
        """Public keys of clients that sign, as PEM."""
        self.assertions_seen: set[str] = set()
        self.clock = Clock()
        self.pauses = Pauses()
        self.connections = Connections()
        self.book = GrantBook(Mint(os.urandom(_KEY_BYTES)))
        self.codes = CodeBook()
        self.url = ""
        """Where it listens, once that is known."""
        self.board = FaultBoard()
        self.ledger = Ledger()
        self.rotation_dice = seeded("rotation", options.seed).random
        self.fault_dice = seeded("faults", options.seed).random
        self._next_number: dict[str, int] = {}

    @property
    def issuer(self) -> str:
        """What it calls itself."""
        return self.options.issuer or self.url

    def change_options(self, patch: dict[str, object]) -> Options:
        """Changes the behaviour from the next request on; a replaced secret stops working."""
        changed = self.options.changed(patch)
        if {"client_id", "client_secret"} & patch.keys():
            self.clients.pop(self.options.client_id, None)
            self.clients[changed.client_id] = changed.client_secret
        self.options = changed
        return changed

    def set_client(
        self, client_id: str, client_secret: str | None, public_key: str | None = None
    ) -> None:
        """Adds a client, or changes the one secret, or key, with which it may come."""
        if public_key is not None:
            self.keys[client_id] = public_key
        if client_secret is None:
            return
        if client_id == self.options.client_id:
            self.change_options({"client_secret": client_secret})
        self.clients[client_id] = client_secret

    def next_external_ids(self, prefix: str, count: int) -> list[str]:
        """Returns `count` account names never used before: acct-0, acct-1 and so on."""
        first = self._next_number.get(prefix, 0)
        self._next_number[prefix] = first + count
        return [f"{prefix}{number}" for number in range(first, first + count)]
