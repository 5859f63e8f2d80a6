"""Decides one token request: is the grant type served here, is the client known, is the token good.

Pure but for the grant book it moves: no HTTP, no clock. Called once per request, at the instant at
which a real provider would commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from refresher.devkit.oauth_server.credentials import (
    Parameters,
    is_known_client,
    presented_token,
)
from refresher.devkit.oauth_server.family import Dice, Refused, Reply
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.options import Options

# The long-lived exchanges of one vendor ask for no client secret: the token is its own proof.
_OPEN_GRANTS = frozenset({"th_refresh_token", "ig_refresh_token"})

GRANTS_SERVED: Mapping[str, frozenset[str]] = {
    "/token": frozenset({"refresh_token", "client_credentials"}),
    "/refresh_access_token": _OPEN_GRANTS,
    "/oauth/access_token": frozenset({"fb_exchange_token"}),
}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request to a token endpoint, read but not judged."""

    path: str
    params: Parameters
    client_id: str
    client_secret: str


def decide(
    request: TokenRequest,
    book: GrantBook,
    clients: Mapping[str, str],
    *,
    options: Options,
    now: float,
    dice: Dice,
) -> Reply:
    """Answers a token request and moves the grant; a wrong client never reaches the grant."""
    grant_type = request.params.get("grant_type", "")
    if grant_type not in GRANTS_SERVED[request.path]:
        return Refused("unsupported_grant_type", "grant_type_not_served_here")
    is_known = is_known_client(request.client_id, request.client_secret, clients)
    if grant_type not in _OPEN_GRANTS and not is_known:
        return Refused("invalid_client", "wrong_client_credentials")
    if grant_type == "client_credentials":
        return book.client_credentials(request.client_id, now, options)
    token = presented_token(request.params)
    if token is None:
        return Refused("invalid_request", "no_token_presented")
    if grant_type == "refresh_token":
        return book.refresh(token, now, options, dice)
    return book.exchange_access_token(token, now, options)
