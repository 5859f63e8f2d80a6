"""Finds the provider of a server that nobody wrote an entry for, and makes us a client there.

An MCP server names its authorization servers (RFC 9728), an issuer describes itself (RFC 8414), and we
register where we are not known (docs/connect.md). What was found first stays: our client and its secret
are stored under that issuer's slug and sent nowhere else, whatever a server says later. It waits for
servers of strangers, so no thread that serves others should carry it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from refresher.catalogue.client_registration import Registered
from refresher.catalogue.discovery import Metadata, Unfit
from refresher.catalogue.entries import DEFAULT_APP
from refresher.catalogue.generic import RESOURCE, slug
from refresher.catalogue.protected_resources import ResourceMetadata, chosen, covers, normalised
from refresher.catalogue.urls import told_url_faults
from refresher.connections.issuer_clients import as_client, check_fit, store_client
from refresher.errors import DiscoveryRefused
from refresher.outbound.metadata import ask_issuer
from refresher.outbound.resource_servers import ask
from refresher.rules.access import Actor
from refresher.runtime.services import Services
from refresher.store import issuers, oauth_apps
from refresher.store.oauth_apps import Registration

T = TypeVar("T")
KEEP_SECONDS = 86_400.0
KEEP_FAILURE_SECONDS = 60.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Discovered:
    """A provider that is there now, with our client, and what a connection of this server needs."""

    provider: str
    placeholders: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()


def discovered(
    services: Services,
    *,
    server_url: str | None = None,
    issuer: str | None = None,
    by: Actor,
) -> Discovered:
    """Returns the provider of an MCP server, or of an issuer; raises `DiscoveryRefused`.

    With REFRESHER_CONNECT_DISCOVERY at `listed` only what the operator has added: an entry of the
    providers file names the issuer, or the resource.
    """
    if (server_url is None) == (issuer is None):
        raise DiscoveryRefused("give server_url or issuer: one of them")
    try:
        if server_url is not None:
            server = normalised(server_url, allow_loopback=_loopback(services))
            return _of_server(services, server, by)
        return _of_issuer(services, issuer or "", by)
    except Unfit as error:
        raise DiscoveryRefused(str(error)) from None


def with_provider(services: Services, given: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    """Returns what a session is asked to be for, with the provider of `server_url` or `issuer`.

    Scopes that are asked for win over those that the server names. Raises `DiscoveryRefused`.
    """
    rest = {name: value for name, value in given.items() if name not in {"server_url", "issuer"}}
    server_url, issuer = given.get("server_url"), given.get("issuer")
    if server_url is None and issuer is None:
        return rest
    if rest.get("provider") or rest.get("connection_id"):
        raise DiscoveryRefused("give one of provider, connection_id, server_url and issuer")
    found = discovered(services, server_url=server_url, issuer=issuer, by=by)
    return {
        **rest,
        "provider": found.provider,
        "placeholders": {**(rest.get("placeholders") or {}), **found.placeholders},
        "scopes": rest.get("scopes") or found.scopes,
    }


def _of_server(services: Services, server: str, by: Actor) -> Discovered:
    for entry in services.catalogue.looked_up:
        resource = entry.default_placeholders.get(RESOURCE)
        if resource and covers(resource, server):
            return Discovered(entry.name)
    _refuse_unlisted(services, server)
    said = _remembered(
        services,
        server,
        lambda: ask(services.exchange.egress, server, allow_loopback=_loopback(services)),
    )
    found = said.metadata
    if found.is_parent:
        log.info(
            "a server's metadata names a resource above it", server=server, told=found.resource
        )
    scopes = said.challenged or found.scopes
    at = chosen(found, _known_issuers(services, found))
    _make_known(services, at, tuple(dict.fromkeys((*scopes, *found.scopes))), by, needs_pkce=True)
    return Discovered(slug(at), {RESOURCE: found.resource}, scopes)


def _of_issuer(services: Services, issuer: str, by: Actor) -> Discovered:
    for entry in services.catalogue.looked_up:
        if entry.issuer == issuer and not entry.default_placeholders.get(RESOURCE):
            return Discovered(entry.name)
    for fault in told_url_faults("issuer", issuer, allow_loopback=_loopback(services)):
        raise Unfit(fault)
    _refuse_unlisted(services, issuer)
    _make_known(services, issuer, (), by, needs_pkce=False)
    return Discovered(slug(issuer))


def _refuse_unlisted(services: Services, url: str) -> None:
    if services.settings.connect_discovery == "listed":
        raise DiscoveryRefused(
            f"{url} is not among the servers that the operator has added: `refresher providers add "
            f"{url}` adds it, REFRESHER_CONNECT_DISCOVERY=any lets sessions name any"
        )


def _known_issuers(services: Services, found: ResourceMetadata) -> set[str]:
    """Returns those of the issuers at which we have a client."""
    with services.database.transaction() as db:
        return {
            one
            for one in found.issuers
            if oauth_apps.registration(db, slug(one), DEFAULT_APP) is not None
        }


def _make_known(
    services: Services, issuer: str, scopes: tuple[str, ...], by: Actor, *, needs_pkce: bool
) -> None:
    """Sees to it that the issuer's provider is there, and our client at it."""
    name = slug(issuer)
    with services.database.transaction() as db:
        kept = issuers.find(db, issuer)
        known = oauth_apps.registration(db, name, DEFAULT_APP)
    stored = Metadata.of(kept.document) if kept and kept.document and known else None
    metadata = stored or _remembered(
        services,
        issuer,
        lambda: ask_issuer(services.exchange.egress, issuer, allow_loopback=_loopback(services)),
    )
    check_fit(issuer, metadata, needs_pkce=needs_pkce)
    if known is None or _is_used_up(known):
        client = as_client(
            services.settings, services.exchange.egress, issuer, name, metadata, scopes
        )
        _store(services, issuer, metadata, client, by, instead_of=known)


def _is_used_up(known: Registration) -> bool:
    """Whether we register anew: the secret has ended. What was given by hand is never replaced."""
    return known.how == "dynamic" and known.is_over and not known.is_fresh


def _store(
    services: Services,
    issuer: str,
    metadata: Metadata,
    client: Registered,
    by: Actor,
    *,
    instead_of: Registration | None,
) -> None:
    """Stores a client with its issuer, unless another process was sooner: then that one's counts."""
    name = slug(issuer)
    before = instead_of.client_id if instead_of else None
    with services.database.transaction() as db:
        stored = store_client(db, services.cipher, name, client, by, instead_of=before)
        if stored:
            issuers.discovered(db, issuer, metadata.plain(), name, client.client_auth.value)
    if stored:
        log.info("registered at an issuer", issuer=issuer, provider=name, how=client.how)


def _remembered(services: Services, key: str, ask: Callable[[], T]) -> T:
    """Returns what was found out lately, or finds it out; a failure is kept for a minute."""
    known = services.findings.get(key)
    if known is None:
        try:
            known = ask()
        except Unfit as error:
            services.findings.put(key, error, KEEP_FAILURE_SECONDS)
            raise
        services.findings.put(key, known, KEEP_SECONDS)
    if isinstance(known, Unfit):
        raise Unfit(str(known))
    found: T = known
    return found


def _loopback(services: Services) -> bool:
    return services.settings.allow_insecure_hosts == "loopback"
