"""What `refresher providers add` asks of a server, and how it becomes a client there."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from refresher.catalogue.client_registration import Registered, document_url, way
from refresher.catalogue.discovery import Metadata, Unfit
from refresher.catalogue.protected_resources import normalised
from refresher.catalogue.urls import told_url_faults
from refresher.cli import session
from refresher.cli.output import WrongUse
from refresher.connections.issuer_clients import as_client, check_fit, store_client
from refresher.errors import CatalogueError
from refresher.outbound.egress import Egress
from refresher.outbound.metadata import ask_issuer
from refresher.outbound.resource_servers import ask
from refresher.rules.redirects import redirect_uri
from refresher.runtime.cipher import cipher_from
from refresher.runtime.services import egress_from
from refresher.settings import Settings


@dataclass(frozen=True, slots=True)
class Looked:
    """What a URL was found to be: an issuer, or an MCP server (`resource`) and its issuer."""

    issuer: str
    metadata: Metadata
    resource: str | None = None
    scopes: tuple[str, ...] = ()
    """those that the server asks for"""
    known_scopes: tuple[str, ...] = ()
    """all that are known"""


def look(settings: Settings, url: str) -> Looked:
    """Returns what is at a URL; raises `WrongUse` for none, `CatalogueError` for nothing that fits."""
    loopback = settings.allow_insecure_hosts == "loopback"
    for fault in told_url_faults("URL", url, allow_loopback=loopback):
        raise WrongUse(fault)
    with closing(egress_from(settings)) as egress:
        try:
            return Looked(url, ask_issuer(egress, url, allow_loopback=loopback))
        except Unfit as no_issuer:
            why = str(no_issuer)
        try:
            return _resource(egress, url, loopback=loopback)
        except Unfit as no_server:
            said = f"no issuer: {why}; and no MCP server: {no_server}"
            raise CatalogueError(f"{url} is {said}") from None


def _resource(egress: Egress, url: str, *, loopback: bool) -> Looked:
    said = ask(egress, normalised(url, allow_loopback=loopback), allow_loopback=loopback)
    issuer, scopes = said.metadata.issuers[0], said.metadata.scopes
    metadata = ask_issuer(egress, issuer, allow_loopback=loopback)
    check_fit(issuer, metadata, needs_pkce=True)
    asked = said.challenged or scopes
    return Looked(issuer, metadata, said.metadata.resource, asked, (*asked, *scopes))


def client(settings: Settings, name: str, found: Looked) -> Registered | None:
    """Returns our client there, where the issuer registers one by itself; None where it does not."""
    base = settings.public_url
    if base is None or found.metadata.authorize_url is None or settings.database_url is None:
        return None
    if way(found.metadata, document_url(base, name)) is None:
        return None
    cipher_from(settings)  # without a key nothing could be stored
    scopes = tuple(dict.fromkeys(found.known_scopes))
    with closing(egress_from(settings)) as egress:
        try:
            return as_client(settings, egress, found.issuer, name, found.metadata, scopes)
        except Unfit as error:
            raise CatalogueError(str(error)) from None


def store(settings: Settings, name: str, registered: Registered) -> None:
    """Stores our client as the app of a provider that is new."""
    cipher = cipher_from(settings)
    with session.database(settings) as database, database.transaction() as db:
        store_client(db, cipher, name, registered, session.actor())


def next_step(settings: Settings, name: str, registered: Registered | None) -> str:
    """Returns what to do next, as a sentence."""
    if registered is not None:
        return f"It registered refresher as a client. Now: `refresher connect {name}`."
    base = settings.public_url
    back = f", with the redirect URI {redirect_uri(base, name)} there" if base else ""
    return f"Its app: `refresher apps set {name} --client-id …`{back}."
