"""Reads a token request and decides it: is the grant type served, the client known, the token good.

Pure but for the grant book it moves: no HTTP, no clock. `decide` is called once per request, at the
instant at which a real provider would commit.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

import orjson

from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.options import Dice, Options
from refresher.devkit.oauth_server.tokens import Denied, Reply

Parameters = dict[str, str]

_TOKEN_FIELDS = {
    "refresh_token": "refresh_token",
    "th_refresh_token": "access_token",
    "ig_refresh_token": "access_token",
    "fb_exchange_token": "fb_exchange_token",
}


def parameters(query: str, content_type: str, body: bytes) -> Parameters:
    """Returns query and body parameters together; an unreadable body counts as empty.

    A field in the body wins over the same field in the query.
    """
    found = dict(parse_qsl(query))
    if content_type.startswith("application/json"):
        return found | _json_fields(body)
    return found | dict(parse_qsl(body.decode("utf-8", "replace")))


def presented_token(params: Parameters) -> str | None:
    """Returns the token a request wants refreshed, by its grant type."""
    return params.get(_TOKEN_FIELDS.get(params.get("grant_type", ""), "")) or None


def credentials(authorization: str, params: Parameters) -> tuple[str, str]:
    """Returns the client id and secret, from HTTP Basic or else from the parameters."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return params.get("client_id", ""), params.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    return unquote_plus(client_id), unquote_plus(secret)


def is_known_client(client_id: str, secret: str, clients: Mapping[str, str]) -> bool:
    """Says whether the secret is the client's."""
    expected = clients.get(client_id)
    return expected is not None and hmac.compare_digest(expected.encode(), secret.encode())


def _json_fields(body: bytes) -> Parameters:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


# The long-lived exchanges of one vendor ask for no client secret: the token is its own proof.
_OPEN_GRANTS = frozenset({"th_refresh_token", "ig_refresh_token"})

GRANTS_SERVED: Mapping[str, frozenset[str]] = {
    "/token": frozenset({"refresh_token", "client_credentials", "authorization_code"}),
    "/refresh_access_token": _OPEN_GRANTS,
    "/oauth/access_token": frozenset({"fb_exchange_token"}),
}


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """One request to a token endpoint, read but not judged."""

    path: str
    params: Parameters
    client_id: str
    client_secret: str

    @property
    def token(self) -> str | None:
        """The token that it wants refreshed."""
        return presented_token(self.params)

    @property
    def for_client(self) -> str | None:
        """The client that wants a token for itself."""
        is_own = self.params.get("grant_type") == "client_credentials"
        return self.client_id if is_own else None

    @property
    def code(self) -> str | None:
        """The code that it brings."""
        is_code = self.params.get("grant_type") == "authorization_code"
        return self.params.get("code", "") if is_code else None


def decide(
    request: GrantRequest,
    book: GrantBook,
    clients: Mapping[str, str],
    *,
    options: Options,
    now: float,
    dice: Dice,
    redeem: Callable[[GrantRequest], Reply],
) -> Reply:
    """Answers a token request and moves the grant; a wrong client never reaches the grant.

    `redeem` answers a request that brings a code.
    """
    grant_type = request.params.get("grant_type", "")
    if (denied := _denied(request, grant_type, clients)) is not None:
        return denied
    if grant_type == "client_credentials":
        return book.client_credentials(request.client_id, now, options)
    if grant_type == "authorization_code":
        return redeem(request)
    token = presented_token(request.params)
    if token is None:
        return Denied("invalid_request", "no_token_presented")
    if grant_type == "refresh_token":
        return book.refresh(token, now, options, dice)
    return book.exchange_access_token(token, now, options)


def _denied(request: GrantRequest, grant_type: str, clients: Mapping[str, str]) -> Denied | None:
    if grant_type not in GRANTS_SERVED[request.path]:
        return Denied("unsupported_grant_type", "grant_type_not_served_here")
    is_known = is_known_client(request.client_id, request.client_secret, clients)
    if grant_type not in _OPEN_GRANTS and not is_known:
        return Denied("invalid_client", "wrong_client_credentials")
    return None
