"""Everything one fake provider remembers while it runs, gathered for the routes.

Touched by one event loop only, so nothing here is locked. The parts are explained in their own
modules; the routes are `token_endpoint.py`, `token_routes.py` and `admin_routes.py`.
"""

import asyncio
import os
import random
import time

from refresher.devkit.oauth_server.connections import Connections
from refresher.devkit.oauth_server.faults import FaultBoard
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.ledger import Ledger
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import Mint

_KEY_BYTES = 32


class Clock:
    """The provider's own time: the machine's, shifted by whatever `/admin/clock` asked for."""

    def __init__(self) -> None:
        """Starts in step with the machine."""
        self.shift_seconds = 0.0

    def now(self) -> float:
        """Returns the provider's time in seconds since 1970."""
        return time.time() + self.shift_seconds


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
        self.clock = Clock()
        self.pauses = Pauses()
        self.connections = Connections()
        self.book = GrantBook(Mint(os.urandom(_KEY_BYTES)))
        self.board = FaultBoard()
        self.ledger = Ledger()
        self.rotation_dice = seeded("rotation", options.seed).random
        self.fault_dice = seeded("faults", options.seed).random
        self._next_number: dict[str, int] = {}

    def change_options(self, patch: dict[str, object]) -> Options:
        """Changes the behaviour from the next request on; a replaced secret stops working."""
        changed = self.options.changed(patch)
        if {"client_id", "client_secret"} & patch.keys():
            self.clients.pop(self.options.client_id, None)
            self.clients[changed.client_id] = changed.client_secret
        self.options = changed
        return changed

    def set_client(self, client_id: str, client_secret: str) -> None:
        """Adds a client, or changes the one secret with which it may come."""
        if client_id == self.options.client_id:
            self.change_options({"client_secret": client_secret})
        self.clients[client_id] = client_secret

    def next_external_ids(self, prefix: str, count: int) -> list[str]:
        """Returns `count` account names never used before: acct-0, acct-1 and so on."""
        first = self._next_number.get(prefix, 0)
        self._next_number[prefix] = first + count
        return [f"{prefix}{number}" for number in range(first, first + count)]
