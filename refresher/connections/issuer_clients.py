"""Makes us a client of an issuer that nobody registered us at: by a document, or by RFC 7591."""

from __future__ import annotations

from refresher.catalogue import client_registration
from refresher.catalogue.client_registration import Registered, document_url
from refresher.catalogue.discovery import Metadata, Unfit
from refresher.catalogue.entries import DEFAULT_APP
from refresher.outbound.egress import Egress
from refresher.outbound.resource_servers import register
from refresher.rules.access import Actor
from refresher.rules.clients import ClientCredentials
from refresher.rules.redirects import redirect_uri
from refresher.runtime import clients
from refresher.runtime.cipher import Cipher
from refresher.settings import Settings
from refresher.store import audit, oauth_apps
from refresher.store.oauth_apps import NewApp
from refresher.store.session import Db


def check_fit(issuer: str, metadata: Metadata, *, needs_pkce: bool) -> None:
    """Raises `Unfit` for an issuer where nobody can consent; an MCP server's must take S256."""
    if metadata.authorize_url is None:
        raise Unfit(f"{issuer} names no authorization_endpoint: nobody can consent there")
    if needs_pkce and "S256" not in metadata.challenge_methods:
        raise Unfit(
            f"{issuer} does not say that it takes code challenges (S256), which MCP servers' must"
        )


def as_client(
    settings: Settings,
    egress: Egress,
    issuer: str,
    name: str,
    metadata: Metadata,
    scopes: tuple[str, ...],
) -> Registered:
    """Returns our client at an issuer, for the provider of this name; nothing is stored yet.

    Raises `Unfit`, with a sentence that says what to do by hand where neither way is open.
    """
    base = settings.public_url
    if base is None:
        raise Unfit("REFRESHER_PUBLIC_URL is not set: no server can lead people back to us")
    back, at = redirect_uri(base, name), document_url(base, name)
    match client_registration.way(metadata, at):
        case "document":
            return client_registration.by_document(at)
        case "dynamic":
            told = client_registration.request(metadata, back, product(settings), scopes)
            loopback = settings.allow_insecure_hosts == "loopback"
            return register(egress, metadata, told, allow_loopback=loopback)
        case _:
            raise Unfit(
                f"{issuer} registers no client by itself: `refresher providers add` makes an entry of "
                "it and names the redirect URI, to register one there by hand; `refresher apps set` "
                "stores that"
            )


def store_client(
    db: Db,
    cipher: Cipher,
    name: str,
    client: Registered,
    by: Actor,
    *,
    instead_of: str | None = None,
) -> bool:
    """Stores the client of a provider, its secret sealed; False where another process was sooner."""
    owner = oauth_apps.app_id(name, DEFAULT_APP)
    credentials = ClientCredentials(client.client_id, client.client_secret)
    sealed = clients.sealed(cipher, owner, credentials)
    app = NewApp(name, DEFAULT_APP, sealed.client_id, sealed.client_secret)
    stored = oauth_apps.register(
        db, app, client.how, client.secret_ends_epoch, instead_of=instead_of
    )
    if stored:
        audit.note(db, by, "app_registered", subject=f"app:{name}/{DEFAULT_APP}")
    return stored


def product(settings: Settings) -> str:
    """Returns what the product is called that people connect their accounts to."""
    return settings.connect_name or "refresher"
