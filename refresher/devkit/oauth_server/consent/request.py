"""Reads what an application asks at the authorize endpoint, and says what is wrong with it.

Pure. What is wrong with client or redirect URI is told to the person, all else to the application
(RFC 6749 section 4.1.2.1): nobody is sent to an address that is not the client's.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from refresher.devkit.oauth_server.options import Options

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""RFC 7636 section 4.2: SHA-256 in base64url."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """One request, read but not judged; of a parameter that came twice, the first counts."""

    pairs: Pairs = field(repr=False)
    host: str | None = None
    more: Pairs = ()
    """what an application may ask for besides at an entry's provider"""

    @classmethod
    def of(cls, query: str) -> "AuthorizeRequest":
        """Reads a query."""
        return cls(tuple(parse_qsl(query, keep_blank_values=True)))

    def get(self, name: str) -> str:
        """Returns a parameter, empty where it is not there."""
        return next((value for key, value in self.pairs if key == name), "")

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for."""
        return tuple(self.get("scope").split())

    @property
    def wants_offline(self) -> bool:
        """Whether access is asked for that outlives the person's visit."""
        return "offline_access" in self.scopes or self.get("access_type") == "offline"

    @property
    def wants_consent(self) -> bool:
        """Whether the person is to be asked, though it has consented before."""
        return "consent" in self.get("prompt").split()


def untrusted(asked: AuthorizeRequest, options: Options, clients: Collection[str]) -> str | None:
    """Returns why nobody may be sent back: the sentence that the person is shown."""
    if asked.get("client_id") not in clients:
        return "invalid_client: no application is registered under this client_id"
    uri, known = asked.get("redirect_uri"), options.redirect_uris.split()
    parts = urlsplit(uri)
    if not parts.scheme or parts.fragment or (known and uri not in known):
        return "redirect_uri_mismatch: this redirect_uri is not registered for the application"
    return None


def refused(asked: AuthorizeRequest, options: Options) -> tuple[str, str] | None:
    """Returns the error and description that the application is told, or None."""
    names = [name for name, _ in asked.pairs]
    if len(set(names)) != len(names):
        return "invalid_request", "a parameter came twice"
    if options.resource and asked.get("resource") != options.resource:
        return "invalid_target", "resource is not the one that this server has tokens for"
    if asked.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code"
    return (
        None
        if options.pkce == "ignored"
        else _unproven(asked, is_needed=options.pkce == "required")
    )


def _unproven(asked: AuthorizeRequest, *, is_needed: bool) -> tuple[str, str] | None:
    challenge = asked.get("code_challenge")
    if not challenge:
        return ("invalid_request", "code_challenge is missing") if is_needed else None
    if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        return "invalid_request", "code_challenge must be a SHA-256 in base64url, by S256"
    return None


def redirect(uri: str, pairs: Pairs) -> str:
    """Returns the redirect URI with these parameters behind those that it has."""
    joint = "&" if urlsplit(uri).query else "?"
    return f"{uri}{joint}{urlencode(pairs)}"
