"""Reads a token request: its parameters, who the client says it is, and which token it presents.

Pure: bytes and text in, values out. Nothing is decided here; see `decision.py`.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

import orjson

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
