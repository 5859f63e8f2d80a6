"""How often a stranger may come: 10 pages a second for each address, 50 wrong links in all (C29).

Memory is bounded: of many addresses those that came last are remembered.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from starlette.requests import cookie_parser
from starlette.types import Receive, Scope

from refresher.rules import visitors
from refresher.rules.limits import Allowance
from refresher.rules.visitors import Network
from refresher.web import reading

log = structlog.get_logger()
PER_SECOND, AT_ONCE = 10.0, 30.0
UNKNOWN_PER_SECOND = 50.0
MOST_ADDRESSES = 10_000
COOKIES = ("__Host-rfc-", "rfc-")
"""How those of attempts begin; what else a browser sends is nobody's business here."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One request, as far as it counts here."""

    method: str
    query: bytes
    headers: Mapping[bytes, bytes]
    peer: str
    address: str
    receive: Receive
    scheme: str = "http"

    @property
    def only_looks(self) -> bool:
        """Whether nothing may change because of it (C7)."""
        return self.method == "HEAD" or visitors.is_looking_ahead(self.headers)

    @property
    def is_through_stranger(self) -> bool:
        """Whether a proxy says for whom it asks, and nobody has said that it is to be believed."""
        told = self.headers.get(b"x-forwarded-for")
        return told is not None and self.address == visitors.address_of(self.peer, "", ())

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of attempts, by name."""
        given = cookie_parser(self.headers.get(b"cookie", b"").decode("latin-1"))
        return {name: value for name, value in given.items() if name.startswith(COOKIES)}


def visitor_of(scope: Scope, receive: Receive, trusted: Sequence[Network]) -> Visitor:
    """Returns who comes; raises a problem for headers that contradict themselves."""
    headers = reading.headers(scope["headers"])
    peer = scope["client"][0] if scope.get("client") else ""
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
    address = visitors.address_of(peer, forwarded, trusted)
    method, query = scope["method"], scope["query_string"]
    return Visitor(method, query, headers, peer, address, receive, scope.get("scheme", "http"))


class Addresses:
    """How often each address may come: `rate` a second, and `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._addresses: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, address: str) -> float:
        """Counts one time; returns 0, or for how long this address must wait."""
        now = time.monotonic()
        allowance = self._addresses.pop(address, None)
        if allowance is None:
            allowance = Allowance(self._rate, self._burst, now, self._burst)
        self._addresses[address] = allowance
        if len(self._addresses) > MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        return allowance.take(now)

    def give_back(self, address: str) -> None:
        """Takes back one that need not have been counted."""
        if (allowance := self._addresses.get(address)) is not None:
            allowance.give_back()


class Gate:
    """The counts of one process, of `processes` that share a port; belongs to its event loop."""

    def __init__(self, processes: int = 1) -> None:
        self._addresses = Addresses(PER_SECOND / processes, AT_ONCE)
        unknown = UNKNOWN_PER_SECOND / processes
        self._has_told = False
        self._unknown = Allowance(unknown, unknown, time.monotonic())

    def wait_seconds(self, visitor: Visitor) -> float:
        """Counts a request of this address; returns 0, or for how long it must wait."""
        self._notice_proxy(visitor)
        return self._addresses.take(visitor.address)

    def _notice_proxy(self, visitor: Visitor) -> None:
        """Tells once that all people may be taken for one."""
        if visitor.is_through_stranger and not self._has_told:
            self._has_told = True
            log.warning(
                "connect pages are asked for through a proxy that is not trusted: all who come "
                "through it count as one address",
                proxy=visitor.peer,
                instead="name it in REFRESHER_TRUSTED_PROXIES",
            )

    def unknown_wait_seconds(self) -> float:
        """Counts a link or a state that nobody knows; returns 0, or for how long to wait."""
        return self._unknown.take(time.monotonic())
