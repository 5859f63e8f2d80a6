"""How a client comes to be known at an issuer that nobody registered it at by hand.

Pure: by a document about us at a URL of ours, which is the client's id there (OAuth Client ID Metadata
Document), or by dynamic registration (RFC 7591). Where neither can be, it is said what to do by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from refresher.catalogue.discovery import Metadata, Unfit, answered
from refresher.rules.addresses import LOOPBACK
from refresher.rules.connection import Reply, Secret
from refresher.rules.kinds import ClientAuth
from refresher.rules.redirects import address

How = Literal["given", "document", "dynamic"]
"""By hand, by a document, by RFC 7591."""
PROOFS = (ClientAuth.POST, ClientAuth.BASIC, ClientAuth.NONE)
"""How a client that registers itself can prove itself, best first: a secret, if there can be one."""
NAMES = {
    ClientAuth.BASIC: "client_secret_basic",
    ClientAuth.POST: "client_secret_post",
    ClientAuth.NONE: "none",
}
MOST_ID = 2_000


@dataclass(frozen=True, slots=True)
class Registered:
    """Our client at an issuer."""

    how: How
    client_id: str
    client_auth: ClientAuth
    client_secret: Secret | None = field(default=None, repr=False)
    secret_ends_epoch: float | None = None
    """when the secret ends, in seconds since 1970; None: never"""


def document_url(public_url: str, slug: str) -> str:
    """Returns where the document about us stands that one issuer reads."""
    return address(public_url, f"/connect/client/{slug}.json")


def way(metadata: Metadata, at: str) -> How | None:
    """Returns how we can be known there; None: only by hand. A document is read over https only."""
    if metadata.takes_documents and at.startswith("https://"):
        return "document"
    return "dynamic" if metadata.registration_url else None


def document(at: str, redirect_uri: str, client_name: str) -> dict[str, object]:
    """Returns what the document about us says; one for each issuer: each has its own redirect URI."""
    return {"client_id": at, **_told(redirect_uri, client_name, ClientAuth.NONE)}


def by_document(at: str) -> Registered:
    """Returns the client that the document makes us: a public one."""
    return Registered("document", at, ClientAuth.NONE)


def request(
    metadata: Metadata, redirect_uri: str, client_name: str, scopes: tuple[str, ...]
) -> dict[str, object]:
    """Returns what a dynamic registration says (RFC 7591 section 2).

    The scopes are those that may ever be asked for, and those that every consent asks for: some servers
    refuse all that was not named here. No `resource`: it is none of the members, servers refuse it.
    """
    told = _told(redirect_uri, client_name, _proof(metadata))
    asked = dict.fromkeys((*scopes, *metadata.always_asked))
    return told | ({"scope": " ".join(asked)} if scopes else {})


def read(metadata: Metadata, reply: Reply) -> Registered:
    """Returns the client that was registered; raises `Unfit` (RFC 7591 section 3.2).

    Whether it has a secret, and how that is shown, is what the server says: it decides.
    """
    place = metadata.registration_url or ""
    given = answered(place, reply, statuses=(201, 200))
    client_id, secret = given.get("client_id"), given.get("client_secret")
    if not _is_text(client_id):
        raise Unfit(f"{place} registers us without a client_id")
    if secret is not None and secret != "" and not _is_text(secret):
        raise Unfit(f"{place} registers us with a client_secret that is no text")
    named = given.get("token_endpoint_auth_method")
    if not secret:
        return Registered("dynamic", str(client_id), ClientAuth.NONE)
    known = {theirs: ours for ours, theirs in NAMES.items() if ours is not ClientAuth.NONE}
    auth = known.get(str(named)) or _proof(metadata)
    if auth is ClientAuth.NONE:
        auth = ClientAuth.BASIC  # what RFC 7591 section 2 means where nothing is said
    ends = given.get("client_secret_expires_at")
    until = float(ends) if isinstance(ends, int | float) and ends > 0 else None
    return Registered("dynamic", str(client_id), auth, Secret(str(secret)), until)


def _told(redirect_uri: str, client_name: str, auth: ClientAuth) -> dict[str, object]:
    native = urlsplit(redirect_uri).hostname in LOOPBACK
    return {
        "client_name": client_name,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": NAMES[auth],
        "application_type": "native" if native else "web",
    }


def _proof(metadata: Metadata) -> ClientAuth:
    taken = set(metadata.auth_methods)
    return next((one for one in PROOFS if NAMES[one] in taken), ClientAuth.BASIC)


def _is_text(given: object) -> bool:
    fits = isinstance(given, str) and 0 < len(given) <= MOST_ID
    return fits and str(given).isprintable() and str(given).isascii()
