"""Looks names up and lets through only addresses that requests may go to (`rules/egress.py`).

The address that was judged is the one that is connected to, so a name that is looked up again and
then says something else ("DNS rebinding") gains nothing. Three ways to use it, one judgement:

* `Egress.check(url)`: when a URL is configured. Nothing is sent.
* `Transport(egress)`: a transport for httpx, for whatever else sends.
* `Egress.addresses(host)`: what both senders connect to.

Through a proxy the proxy looks names up, and its operator decides where they may lead.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from refresher.catalogue.urls import url_faults
from refresher.errors import EgressRefused
from refresher.rules.addresses import LOOPBACK as LOOPBACK_NAMES
from refresher.rules.egress import LOOPBACK, Address, Network, interleaved, kind_of_refusal

KNOWN_SECONDS = 30.0
"""How long what a name said is believed. A connection that stands is not looked up again."""
MOST_KNOWN = 10_000
MOST_ADDRESSES = 4
"""How many addresses of one name are tried."""
NAME_LOOKUPS = 64
"""Threads that look names up: one dead name server must not hold up the others."""

Lookup = Callable[[str], Sequence[str]]


def look_up(host: str) -> list[str]:
    """Returns the addresses of `host` as the operating system gives them; raises `OSError`."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: tuple[str, ...]
    until: float


class Egress:
    """Where requests of this process may go. Safe to use from every thread and event loop.

    `allowed` are the networks of REFRESHER_ALLOWED_PRIVATE_NETWORKS. `loopback` lets hosts that are
    written as this machine (localhost, 127.0.0.1, ::1) lead there; any other name never may.
    """

    def __init__(
        self, allowed: Sequence[Network] = (), *, loopback: bool = False, lookup: Lookup = look_up
    ) -> None:
        self._allowed = tuple(allowed)
        self._loopback = loopback
        self._lookup = lookup
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._refused: dict[str, str] = {}
        self._asked: dict[str, Future[tuple[str, ...]]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def check(self, url: str, *, field: str = "url", timeout_seconds: float = 5.0) -> None:
        """Raises `EgressRefused` with a sentence about `field` unless requests may go to `url`.

        That is: https (or http to this machine, where that is allowed), no credentials in it, and
        a name that leads to an address that is allowed. Looks the name up; sends nothing.
        """
        for fault in url_faults(field, url, allow_loopback=self._loopback):
            raise EgressRefused(fault)
        host = urlsplit(url).hostname or ""
        try:
            self._ask(host).result(timeout_seconds)
        except EgressRefused as refused:
            raise EgressRefused(f"{field}: {refused}") from None
        except TimeoutError:
            raise EgressRefused(f"{field}: no name server answers for {host}") from None
        except (OSError, UnicodeError):
            raise EgressRefused(f"{field}: no server is called {host}") from None

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Returns where to connect for `host`, best first.

        Raises `EgressRefused` when it leads nowhere that is allowed, `OSError` when it leads
        nowhere. Of a name that leads to both, only the addresses that are allowed are returned.
        """
        known = self.known(host)
        if known is not None:
            return known
        # Shielded: a caller that gives up must not take the answer from the others.
        return await asyncio.shield(asyncio.wrap_future(self._ask(host)))

    def known(self, host: str) -> tuple[str, ...] | None:
        """Returns what is known already, without waiting: one look into a dict."""
        known = self._known.get(host)
        return known.addresses if known and known.until > time.monotonic() else None

    def refusal(self, host: str) -> str | None:
        """Returns why `host` was refused the last time, in a sentence."""
        return self._refused.get(host)

    @staticmethod
    def is_address(host: str) -> bool:
        """Whether `host` is an address already, so that nobody looks it up any more."""
        return _literal(host)

    def close(self) -> None:
        """Gives back the threads; what is being looked up is left to itself."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, host: str) -> Future[tuple[str, ...]]:
        """Looks up once for all who ask at the same time."""
        with self._lock:
            if host in self._asked:
                return self._asked[host]
            if self._threads is None:
                self._threads = ThreadPoolExecutor(NAME_LOOKUPS, thread_name_prefix="names")
            future = self._asked[host] = self._threads.submit(self._find, host)
        future.add_done_callback(lambda _: self._asked.pop(host, None))
        return future

    def _find(self, host: str) -> tuple[str, ...]:
        literal = _literal(host)
        said = [host] if literal else self._lookup(host)
        found = interleaved(ip_address(text.partition("%")[0]) for text in said)
        addresses = tuple(str(a) for a in self._let_through(host, found)[:MOST_ADDRESSES])
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[host] = _Known(addresses, time.monotonic() + KNOWN_SECONDS)
        return addresses

    def _let_through(self, host: str, found: Sequence[Address]) -> list[Address]:
        if not found:
            raise OSError(f"{host} has no address")
        here = LOOPBACK if self._loopback and host in LOOPBACK_NAMES else ()
        kinds = {address: kind_of_refusal(address, (*self._allowed, *here)) for address in found}
        allowed = [address for address, kind in kinds.items() if kind is None]
        if not allowed:
            if len(self._refused) >= MOST_KNOWN:
                self._refused.clear()
            self._refused[host] = refused = (
                f"{host} leads to {found[0]} ({kinds[found[0]]}), which only "
                "REFRESHER_ALLOWED_PRIVATE_NETWORKS could allow"
            )
            raise EgressRefused(refused)
        return allowed


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
