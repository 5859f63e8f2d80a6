"""Builds the request that asks a provider for a fresh token. That which ends a grant: `revocations.py`.

Pure, and never sends: a `Provider` and opened tokens in, a `TokenRequest` out. `outbound/exchange.py`
sends that, `outcomes.py` reads the reply. Sources: RFC 6749 sections 2.3.1, 4.4 and 6.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from typing import assert_never
from urllib.parse import quote_plus

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret, value
from refresher.rules.fillings import Filling, Stamp
from refresher.rules.placeholders import (
    UnbuildableRequest,
    brought,
    fill,
    filled,
    named_in,
    values,
    without_empty,
)
from refresher.rules.providers import MINTED, BodyForm, ClientAuth, Provider, Strategy
from refresher.rules.proving import (
    JWT_BEARER,
    ClientCertificate,
    FillIn,
    certificate_of,
    proof,
)


@value
class TokenRequest:
    """One request to a token endpoint, ready to send. Its `repr` shows no parameter."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: BodyForm
    parameters: Mapping[str, str] = field(repr=False)
    certificate: ClientCertificate | None = field(default=None, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    """What stands in the URL beside a body, and is no part of the place that the URL names."""


def build_request(  # noqa: PLR0913  all that a request is made of
    provider: Provider,
    *,
    client: ClientCredentials | None,
    access_token: Secret | None,
    refresh_token: Secret | None,
    scopes: tuple[str, ...] = (),
    host: str | None = None,
    placeholders: Mapping[str, str] | None = None,
    draw: Callable[[], Stamp] | None = None,
) -> TokenRequest:
    """Returns the request that asks `provider` for a fresh access token.

    `draw` is asked for the time and a number where the entry wants one. Raises `UnbuildableRequest`
    when a piece is missing; nothing has been sent then.
    """
    if provider.placeholders or provider.host_pattern:
        of_app = client.placeholders if client else {}
        host, placeholders = brought(provider, host, placeholders, of_app)
    parameters = _grant_parameters(provider, access_token, refresh_token)
    scope = provider.scope_separator.join(scopes)
    if provider.send_scope and scope:
        parameters["scope"] = scope
    headers, query = {"Accept": "application/json"}, None
    fill_in: FillIn | None = None
    if provider.headers or provider.parameters or provider.query or provider.signs:
        fill_in = _as_it_is
        if provider.signs or _names_any(provider):
            tokens = {"access_token": access_token, "refresh_token": refresh_token}
            ours = Filling(provider.name, client, tokens, scope, draw).value
            fill_in = partial(filled, provider, host=host, placeholders=placeholders, ours=ours)
        headers |= checked_headers(fill_in(provider.headers))
        query = fill_in(provider.query) or None
    url = resolve_url(provider, host, placeholders=placeholders)
    authenticate(provider, provider.client_auth, client, parameters, headers)
    if fill_in and provider.signs:
        proof(provider, client, url, fill_in, draw).sign(parameters, headers)
    parameters |= fill_in(provider.parameters) if fill_in else {}
    named, shown = renamed(provider, parameters), certificate_of(provider, client)
    return TokenRequest(provider.method, url, headers, provider.body, named, shown, query)


def _names_any(provider: Provider) -> bool:
    tables = (provider.headers, provider.parameters, provider.query)
    return any("{" in text for table in tables for text in table.values())


def _as_it_is(texts: Mapping[str, str]) -> Mapping[str, str]:
    return texts


def renamed(provider: Provider, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Returns parameters under the names that the provider gives them."""
    names = provider.parameter_names
    return {names.get(k, k): v for k, v in parameters.items()} if names else parameters


def checked_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Returns headers of which no value ends its own; raises `UnbuildableRequest`."""
    for name, text in headers.items():
        if not text.isprintable():
            raise UnbuildableRequest(f"the value for the header {name} has characters of no header")
    return headers


def _grant_parameters(
    provider: Provider, access_token: Secret | None, refresh_token: Secret | None
) -> dict[str, str]:
    match provider.strategy:
        case Strategy.REFRESH_TOKEN:
            token, name, grant = refresh_token, "refresh_token", "refresh_token"
        case Strategy.LONG_LIVED_EXCHANGE:
            token, name, grant = access_token, "access_token", provider.grant_type or ""
        case Strategy.CLIENT_CREDENTIALS:
            return {"grant_type": provider.grant_type or "client_credentials"}
        case Strategy.PLUGIN:
            raise UnbuildableRequest("the plug-in of its entry makes its requests")
        case Strategy.JWT_BEARER:
            return {"grant_type": provider.grant_type or JWT_BEARER}
        case Strategy.GITHUB_APP:
            return {}
        case _:
            assert_never(provider.strategy)
    if not token:
        raise UnbuildableRequest(f"the connection stores no {name.replace('_', ' ')}")
    return {
        "grant_type": provider.grant_type or grant,
        provider.token_parameter or name: token.reveal(),
    }


def authenticate(
    provider: Provider,
    client_auth: ClientAuth,
    client: ClientCredentials | None,
    parameters: dict[str, str],
    headers: dict[str, str],
) -> None:
    """Adds what proves the app; raises `UnbuildableRequest` where there is none."""
    if client_auth is ClientAuth.NONE:
        names_itself = provider.strategy is Strategy.REFRESH_TOKEN
        if client is not None and names_itself and provider.send_client_id:
            parameters["client_id"] = client.client_id  # a public client names itself
        if client is not None or provider.strategy not in MINTED:
            return
    if client is None:
        raise UnbuildableRequest(f"no app is configured for provider {provider.name}")
    secret = client.client_secret.reveal() if client.client_secret else ""
    raw = client_auth is ClientAuth.BASIC_RAW
    if raw or client_auth is ClientAuth.BASIC:
        # RFC 6749 section 2.3.1: both halves are form-encoded before the colon joins them.
        encode = str if raw else quote_plus
        pair = f"{encode(client.client_id)}:{encode(secret)}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        return
    parameters["client_id"] = client.client_id
    if secret and client_auth is ClientAuth.POST:
        parameters["client_secret"] = secret


def resolve_url(
    provider: Provider,
    host: str | None,
    template: str | None = None,
    placeholders: Mapping[str, str] | None = None,
) -> str:
    """Returns the URL to refresh at (or `template`) with the connection's own values filled in.

    Each must match the entry's pattern whole, so that a stored row cannot send a refresh token to
    somebody else's server. A connection without a host uses the entry's default one.
    """
    url = template or provider.refresh_url or provider.token_url
    if "{" not in url:
        return url
    found = values(provider, named_in([url]), host, placeholders, in_url=True)
    return fill(without_empty(url, found) if provider.path_placeholders else url, found)
