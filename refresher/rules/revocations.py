"""Builds the request that ends a grant, and says which token it takes. Source: RFC 7009 section 2.1.

Many providers have their own way: another method, the token in a header, the access token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.fillings import TOKEN, Filling, Stamp
from refresher.rules.placeholders import brought, filled
from refresher.rules.providers import SIGNING_CLIENT, ClientAuth, Provider
from refresher.rules.proving import certificate_of, proof
from refresher.rules.requests import (
    TokenRequest,
    authenticate,
    checked_headers,
    renamed,
    resolve_url,
)


def build_revocation(
    provider: Provider,
    *,
    client: ClientCredentials | None,
    access_token: Secret | None = None,
    refresh_token: Secret | None = None,
    host: str | None = None,
    placeholders: Mapping[str, str] | None = None,
    draw: Callable[[], Stamp] | None = None,
) -> TokenRequest | None:
    """Returns the request that gives a grant back, None without a URL.

    `{token}` is the refresh token where there is one (its end is that of the access tokens as well),
    unless the entry asks for the access token. Raises `UnbuildableRequest`.
    """
    if provider.revocation_url is None:
        return None
    if provider.placeholders or provider.host_pattern:
        host, placeholders = brought(
            provider, host, placeholders, client.placeholders if client else {}
        )
    asks_for_access = provider.revocation_token == "access_token"
    token = access_token if asks_for_access else refresh_token or access_token
    tokens = {TOKEN: token, "access_token": access_token, "refresh_token": refresh_token}
    ours = Filling(provider.name, client, tokens, "", draw).value
    parameters: dict[str, str] = {}
    fill_in = partial(filled, provider, host=host, placeholders=placeholders, ours=ours)
    headers = {"Accept": "application/json"}
    headers |= checked_headers(fill_in({**provider.headers, **provider.revocation_headers}))
    _authenticate(provider, client, parameters, headers)
    client_auth = provider.revocation_client_auth or provider.client_auth
    if client_auth in SIGNING_CLIENT:
        for_whom = resolve_url(provider, host, None, placeholders)
        proof(provider, client, for_whom, fill_in, draw).of_client(client_auth, parameters)
    parameters |= fill_in(provider.revocation_parameters)
    url = resolve_url(provider, host, provider.revocation_url, placeholders)
    method, body = provider.revocation_method, provider.revocation_body
    named, shown = renamed(provider, parameters), certificate_of(provider, client)
    return TokenRequest(method, url, headers, body, named, shown)


def _authenticate(
    provider: Provider,
    client: ClientCredentials | None,
    parameters: dict[str, str],
    headers: dict[str, str],
) -> None:
    """Proves the app as at the token endpoint, or as the entry says; "none" there adds nothing."""
    own = provider.revocation_client_auth
    if own is not ClientAuth.NONE:
        authenticate(provider, own or provider.client_auth, client, parameters, headers)
