"""Who opens a page without a key: from which address and site, and whether only to look. Pure.

A browser tells where a request comes from (`Sec-Fetch-Site`, `Sec-Fetch-Dest`: Fetch Metadata;
`Origin`: RFC 6454) and what is only fetched ahead (`Sec-Purpose`). Scripts cannot set these.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
Headers = Mapping[bytes, bytes]
_LOOKING = (b"prefetch", b"prerender", b"preview")
NEIGHBOURS = 64
"""Bits of an IPv6 address that a provider gives to one customer: the rest is his to choose."""


def address_of(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Returns the address that a request came from, as far as it can be believed.

    `forwarded_for` is X-Forwarded-For, to which each proxy adds whom it heard. It counts from the
    right, as far as those who wrote it are in `trusted`; what stands before is anybody's word.
    """
    believed = _address(peer)
    for text in reversed(forwarded_for.split(",")):
        if believed is None or not any(believed in network for network in trusted):
            break
        heard = _address(text)
        if heard is None:
            break
        believed = heard
    if isinstance(believed, IPv6Address):
        return str(ipaddress.ip_network((believed, NEIGHBOURS), strict=False))
    return str(believed or peer)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Returns an address; some proxies write its port behind it."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def is_looking_ahead(headers: Headers) -> bool:
    """Whether a browser fetches something in advance, which must change nothing (C7)."""
    purposes = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
    told = b",".join(headers.get(name, b"").lower() for name in purposes)
    return any(word in told for word in _LOOKING)


def origin_of(url: str) -> str:
    """Returns the origin of a URL as browsers write it: small letters, no usual port (RFC 6454)."""
    parts = urlsplit(url.lower())
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def is_own_form(headers: Headers, origin: str) -> bool:
    """Whether a POST comes from a page of ours (C8), whose origin is `origin`."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    return headers.get(b"origin", b"").decode("latin-1") == origin


def is_whole_page(headers: Headers) -> bool:
    """Whether a browser shows the answer to a person, and in no frame; old ones do not tell."""
    return headers.get(b"sec-fetch-dest", b"document") == b"document"
