"""Whether an address is one that requests may go to: a public one, or one that the operator allows.

Who names a server (a stored row's host, a webhook's URL) must not reach what only this machine can
reach: itself, the network it stands in, its cloud's metadata service. The judgement is about
addresses, after the name was looked up, because a name says nothing.

Sources: the IANA special-purpose address registries (RFC 6890), RFC 4193 and 4291 (IPv6), RFC 6052
(NAT64), RFC 8305 section 4 (the order of addresses).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain, zip_longest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
METADATA = frozenset(
    ip_address(text)
    for text in (
        *("169.254.169.254", "169.254.170.2", "fd00:ec2::254"),  # most clouds
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),  # Alibaba, Azure, Oracle
    )
)
"""Servers that give a machine its credentials. One of these, Azure's, is a public address."""

_SPECIAL = tuple(
    (ip_network(network), kind)
    for kind, networks in {
        "unspecified": ("0.0.0.0/8", "::/128"),
        "loopback": ("127.0.0.0/8", "::1/128"),
        "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
        "link-local": ("169.254.0.0/16", "fe80::/10"),
        "multicast": ("224.0.0.0/4", "ff00::/8"),
        "documentation": (
            *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
            *("2001:db8::/32", "3fff::/20"),
        ),
        "reserved": (
            *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
            "2001::/23",  # among them Teredo, which leads to an IPv4 address of its choice
        ),
    }.items()
    for network in networks
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_HOLDERS_OF_IPV4 = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4: the address, then 80 bits of its own
)


def kind_of_refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Returns what `address` is if no request may go there ("private", "metadata" …), else None.

    An IPv6 address that stands for an IPv4 one is judged as that one. A metadata server is allowed
    only by a network that holds nothing else: 169.254.0.0/16 does not mean it.
    """
    meant = embedded(address)
    metadata = meant in METADATA
    if any(meant in network for network in allowed if network.num_addresses == 1 or not metadata):
        return None
    if metadata:
        return "metadata"
    kind = next((kind for network, kind in _SPECIAL if meant in network), None)
    if kind is None and isinstance(meant, IPv6Address) and meant not in _GLOBAL_UNICAST:
        return "reserved"
    return kind


def embedded(address: Address) -> Address:
    """Returns the IPv4 address that an IPv6 address stands for, otherwise the address itself."""
    if isinstance(address, IPv6Address):
        for network, shift in _HOLDERS_OF_IPV4:
            if address in network:
                return IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return address


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """Returns each address once, the two families in turn, the first one's family first."""
    once = list(dict.fromkeys(addresses))
    first = [a for a in once if a.version == once[0].version]
    second = [a for a in once if a.version != once[0].version]
    return [a for a in chain.from_iterable(zip_longest(first, second)) if a is not None]
