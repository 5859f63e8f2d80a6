"""Asks a resource server whose tokens it takes, and an issuer to know us: what discovery sends.

MCP authorization, revision 2026-07-28: the server is asked without a token, and its refusal says where
its metadata stands. Nothing of ours but our name goes along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from refresher.catalogue import client_registration, protected_resources
from refresher.catalogue.client_registration import Registered
from refresher.catalogue.discovery import Metadata, Unfit
from refresher.catalogue.protected_resources import ResourceMetadata
from refresher.outbound.egress import Egress
from refresher.outbound.metadata import Asker, asked
from refresher.outbound.sender import JSON, Wire
from refresher.rules.bodies import header
from refresher.rules.challenges import bearer

HELLO: Mapping[str, object] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "refresher", "version": "1"},
    },
}
"""How a conversation with an MCP server begins; without a token it ends there."""
REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a resource server says: of itself, and of the scopes that its refusal asks for."""

    metadata: ResourceMetadata
    challenged: tuple[str, ...]


def ask(egress: Egress, server: str, *, allow_loopback: bool) -> Resource:
    """Returns what a server says of itself; `server` is its normalised URL. Raises `Unfit`.

    For threads that run no event loop, as is `register`.
    """
    return asked(egress, partial(_ask, server=server), allow_loopback=allow_loopback)


def register(
    egress: Egress, metadata: Metadata, told: Mapping[str, object], *, allow_loopback: bool
) -> Registered:
    """Returns our client at an issuer, registered by RFC 7591 with what is `told`; raises `Unfit`."""
    work = partial(_register, metadata=metadata, told=told)
    return asked(egress, work, allow_loopback=allow_loopback)


async def _ask(asker: Asker, server: str) -> Resource:
    said = await _challenge(asker, server)
    loopback = asker.allow_loopback

    async def of(place: str) -> ResourceMetadata:
        reply = await asker.get(place)
        return protected_resources.read(server, place, reply, allow_loopback=loopback)

    where = protected_resources.places(server, said.get("resource_metadata"))
    return Resource(await asker.first(of, where), tuple(said.get("scope", "").split()))


async def _register(asker: Asker, metadata: Metadata, told: Mapping[str, object]) -> Registered:
    if metadata.registration_url is None:
        raise Unfit("it registers nobody by itself")
    wire = Wire(
        None,
        metadata.registration_url,
        {"Accept": JSON, "Content-Type": JSON},
        orjson.dumps(told),
    )
    return client_registration.read(metadata, await asker.send(wire))


async def _challenge(asker: Asker, server: str) -> Mapping[str, str]:
    """Returns what the server's refusal says; empty where it says nothing, or refuses nobody."""
    headers = {"Accept": f"{JSON}, text/event-stream", "Content-Type": JSON}
    hello = Wire(None, server, headers, orjson.dumps(HELLO))
    for wire in (hello, Wire(None, server, {"Accept": "*/*"}, method="GET")):
        reply = await asker.send(wire)
        if reply.status is None and wire is hello:
            raise Unfit(f"{server} does not answer: {reply.failure or 'no status'}")
        if reply.status in REFUSED:
            return bearer(header(reply.headers, "www-authenticate"))
    return {}
