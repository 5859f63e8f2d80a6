"""Asks issuers for their metadata, by the rules and limits of every request; follows no redirect."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from refresher.catalogue.discovery import Metadata, Unfit, places, read
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.sender import Wire

WAIT_SECONDS = 30.0
"""How long one may wait for its turn among other requests."""


def fetch(
    exchange: Exchange, issuers: Collection[str], *, allow_loopback: bool
) -> Iterator[tuple[str, Metadata | Unfit]]:
    """Yields what each issuer says, as it arrives: at the place of RFC 8414, then at that of OpenID."""
    faults: dict[str, list[str]] = {issuer: [] for issuer in issuers}
    for number in (0, 1):
        asked = [_asking(issuer, places(issuer)[number]) for issuer in faults]
        for replies in exchange.stream(asked):
            for (issuer, place), reply in replies:
                try:
                    found = read(issuer, place, reply, allow_loopback=allow_loopback)
                except Unfit as error:
                    faults[issuer].append(str(error))
                else:
                    del faults[issuer]
                    yield issuer, found
    for issuer, why in faults.items():
        yield issuer, Unfit("; ".join(why))


def _asking(issuer: str, place: str) -> Outgoing[tuple[str, str]]:
    wire = Wire(None, place, {"Accept": "application/json"}, method="GET")
    return Outgoing((issuer, place), wire, WAIT_SECONDS, urlsplit(issuer).netloc)
