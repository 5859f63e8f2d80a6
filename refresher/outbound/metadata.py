"""Asks servers that somebody named for their metadata: by the egress rules, and within limits.

Nobody's token, secret or cookie goes along. A redirect is followed twice at most, and each is judged
anew (RFC 9728 section 7.7: requests that a stranger directs). Sent by a sender of its own, so that a
server that hangs takes no place from token requests; from a thread that serves nobody meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import TypeVar
from urllib.parse import urlsplit

from refresher.catalogue.discovery import (
    MAX_BYTES,
    MOST_REDIRECTS,
    Metadata,
    Unfit,
    onward,
    places,
    read,
)
from refresher.outbound.egress import Egress
from refresher.outbound.sender import FORBIDDEN, JSON, Sender, SendLimits, Wire
from refresher.rules.connection import Reply

T = TypeVar("T")
AT_ONCE = 20
SECONDS_IN_ALL = 15.0
LIMITS = SendLimits(
    connect_seconds=5.0,
    total_seconds=5.0,
    max_bytes=MAX_BYTES,
    max_in_flight=AT_ONCE,
    read_headers=("content-type", "content-encoding", "location", "www-authenticate"),
)
ASKED: Mapping[str, str] = {"Accept": JSON}


class Asker:
    """Asks within one event loop."""

    def __init__(self, egress: Egress, sender: Sender, *, allow_loopback: bool) -> None:
        self._egress = egress
        self._sender = sender
        self.allow_loopback = allow_loopback

    async def get(self, place: str) -> Reply:
        """Returns the answer at `place`, or at where it leads; raises `Unfit` for a bad redirect."""
        for _ in range(MOST_REDIRECTS):
            reply = await self.send(Wire(None, place, ASKED, method="GET"))
            leads = onward(place, reply, allow_loopback=self.allow_loopback)
            if leads is None:
                return reply
            place = leads
        return await self.send(Wire(None, place, ASKED, method="GET"))

    async def send(self, wire: Wire) -> Reply:
        """Returns the answer to one request; why an address was refused is told in words."""
        reply = await self._sender.send(wire)
        if reply.failure == FORBIDDEN:
            host = urlsplit(wire.url).hostname or ""
            return Reply(failure=self._egress.refusal(host) or reply.failure, sent=False)
        return reply

    async def metadata(self, issuer: str) -> Metadata:
        """Returns what an issuer says, at the first of its places that has it; raises `Unfit`."""

        async def of(place: str) -> Metadata:
            return read(issuer, place, await self.get(place), allow_loopback=self.allow_loopback)

        return await self.first(of, places(issuer))

    async def first(self, ask: Callable[[str], Awaitable[T]], where: Collection[str]) -> T:
        """Returns what the first place has; raises `Unfit` with what was wrong at each."""
        faults = []
        for place in where:
            try:
                return await ask(place)
            except Unfit as error:
                faults.append(str(error))
        raise Unfit("; ".join(faults))


@asynccontextmanager
async def asking(egress: Egress, *, allow_loopback: bool) -> AsyncIterator[Asker]:
    """Gives what asks, and closes its connections."""
    from refresher.outbound.httpx_sender import HttpxSender  # noqa: PLC0415  seldom needed, and large

    sender = HttpxSender(LIMITS, egress)
    try:
        yield Asker(egress, sender, allow_loopback=allow_loopback)
    finally:
        await sender.close()


def asked(egress: Egress, work: Callable[[Asker], Awaitable[T]], *, allow_loopback: bool) -> T:
    """Returns what comes of several questions; raises `Unfit`. For threads that run no event loop."""

    async def in_a_loop() -> T:
        async with asking(egress, allow_loopback=allow_loopback) as asker:
            return await _in_time(work(asker))

    return asyncio.run(in_a_loop())


async def _in_time(work: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(work, SECONDS_IN_ALL)
    except TimeoutError:
        raise Unfit(f"no whole answer within {SECONDS_IN_ALL:g} s") from None


def ask_issuer(egress: Egress, issuer: str, *, allow_loopback: bool) -> Metadata:
    """Returns what one issuer says; raises `Unfit`. For threads that run no event loop."""
    return asked(egress, lambda asker: asker.metadata(issuer), allow_loopback=allow_loopback)


def fetch(
    egress: Egress, issuers: Collection[str], *, allow_loopback: bool
) -> list[tuple[str, Metadata | Unfit]]:
    """Returns what each issuer says. For threads that run no event loop."""

    async def all_of_them() -> list[tuple[str, Metadata | Unfit]]:
        turns = asyncio.Semaphore(AT_ONCE)
        async with asking(egress, allow_loopback=allow_loopback) as asker:

            async def ask(issuer: str) -> tuple[str, Metadata | Unfit]:
                async with turns:
                    try:
                        return issuer, await _in_time(asker.metadata(issuer))
                    except Unfit as error:
                        return issuer, error

            return list(await asyncio.gather(*(ask(issuer) for issuer in issuers)))

    return asyncio.run(all_of_them())


def ask_ourselves(
    url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET"
) -> Reply:
    """Returns the answer at an address of ours, wherever it leads. For threads without a loop."""
    anywhere = Egress((ip_network("0.0.0.0/0"), ip_network("::/0")), loopback=True)

    async def ask(asker: Asker) -> Reply:
        return await asker.send(Wire(None, url, {**ASKED, **(headers or {})}, method=method))

    return asked(anywhere, ask, allow_loopback=True)
