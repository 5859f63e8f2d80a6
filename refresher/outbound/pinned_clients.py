"""Clients that hold, for each name, the address that was let through.

A client is told its names when it is built, and building one takes some 10 ms (it reads the roots of
trust), whether for one name or for five hundred. So names that are new wait for each other: whoever
asks while one client is being built gets into the next. A client that no name uses any more goes
with its last request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyreqwest.client import Client

from refresher.outbound.egress import Egress

MOST_NAMES = 10_000
AVOID_SECONDS = 30.0
"""How long an address that could not be connected to comes last."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A client that knows `name` by this address only."""

    name: str
    address: str
    client: Client


class Pins:
    """Belongs to one event loop. A name keeps its address while the name still says it."""

    def __init__(self, egress: Egress, make: Callable[[Mapping[str, str]], Client]) -> None:
        self._egress = egress
        self._make = make
        self._pins: dict[str, Pin] = {}
        self._avoided: dict[tuple[str, str], float] = {}
        self._wanted: dict[tuple[str, str], asyncio.Future[Pin]] = {}
        self._building: asyncio.Task[None] | None = None

    def ready(self, name: str) -> Pin | None:
        """Returns the pin that stands, without waiting; the way of nearly every request."""
        pin, addresses = self._pins.get(name), self._egress.known(name)
        if pin is None or addresses is None:
            return None
        return pin if self._choose(name, addresses) == pin.address else None

    async def get(self, name: str) -> Pin:
        """Looks `name` up and pins it; raises `EgressRefused`, or `OSError` if it leads nowhere."""
        addresses = await self._egress.addresses(name)
        if pin := self.ready(name):
            return pin
        key = (name, self._choose(name, addresses))
        loop = asyncio.get_running_loop()
        future = self._wanted.setdefault(key, loop.create_future())
        if self._building is None or self._building.done():
            self._building = loop.create_task(self._build())
        return await asyncio.shield(future)

    def failed(self, pin: Pin) -> bool:
        """Notes that no connection was had; returns whether there is another address to try."""
        now = time.monotonic()
        if len(self._avoided) >= MOST_NAMES:
            self._avoided = {key: until for key, until in self._avoided.items() if until > now}
        self._avoided[pin.name, pin.address] = now + AVOID_SECONDS
        addresses = self._egress.known(pin.name) or ()
        return any(not self._avoids(pin.name, address) for address in addresses)

    async def close(self) -> None:
        """Closes all clients."""
        for client in {id(pin.client): pin.client for pin in self._pins.values()}.values():
            await client.close()

    def _choose(self, name: str, addresses: tuple[str, ...]) -> str:
        """Returns the address that is in use, the first one otherwise; those avoided come last."""
        pin = self._pins.get(name)
        if self._avoided:
            good = tuple(one for one in addresses if not self._avoids(name, one))
            addresses = good or addresses
        return pin.address if pin is not None and pin.address in addresses else addresses[0]

    def _avoids(self, name: str, address: str) -> bool:
        return self._avoided.get((name, address), 0.0) > time.monotonic()

    async def _build(self) -> None:
        loop = asyncio.get_running_loop()
        while self._wanted:
            taken = dict([*self._wanted])  # one address a name
            futures = {key: self._wanted.pop(key) for key in taken.items()}
            try:
                client = await loop.run_in_executor(None, self._make, taken)
            except Exception as error:  # noqa: BLE001  whatever it is, those who wait must know
                for future in futures.values():
                    future.set_exception(error)
                    future.exception()  # seen, also when nobody waits any more
                continue
            for (name, address), future in futures.items():
                self._pins[name] = pin = Pin(name, address, client)
                future.set_result(pin)
        while len(self._pins) > MOST_NAMES:
            del self._pins[next(iter(self._pins))]
