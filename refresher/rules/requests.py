"""Builds the requests that go to a provider: for a fresh token, and for the end of a grant.

Pure, and never sends: a `Provider` and opened tokens in, a `TokenRequest` out. `outbound/exchange.py`
sends that, `outcomes.py` reads the reply. Sources: RFC 6749 sections 2.3.1, 4.4 and 6; RFC 7009
section 2.1.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import field
from typing import assert_never
from urllib.parse import quote_plus

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret, value
from refresher.rules.placeholders import UnbuildableRequest, fill, filled, values
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy


@value
class ClientCertificate:
    """What an app shows in the TLS handshake (RFC 8705): its certificate, as PEM, and the key to it."""

    chain: str
    key: Secret

    def pem(self) -> bytes:
        """Returns both, in the clear."""
        return f"{self.chain.strip()}\n{self.key.reveal()}".encode()


@value
class TokenRequest:
    """One request to a token endpoint, ready to send. Its `repr` shows no parameter."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: BodyForm
    parameters: Mapping[str, str] = field(repr=False)
    certificate: ClientCertificate | None = field(default=None, repr=False)


def build_request(
    provider: Provider,
    *,
    client: ClientCredentials | None,
    access_token: Secret | None,
    refresh_token: Secret | None,
    scopes: tuple[str, ...] = (),
    host: str | None = None,
    placeholders: Mapping[str, str] | None = None,
) -> TokenRequest:
    """Returns the request that asks `provider` for a fresh access token.

    Raises `UnbuildableRequest` when a piece is missing; nothing has been sent then.
    """
    parameters = _grant_parameters(provider, access_token, refresh_token)
    if provider.send_scope and scopes:
        parameters["scope"] = " ".join(scopes)
    own_headers = filled(provider, provider.headers, host, placeholders)
    headers = {"Accept": "application/json", **own_headers}
    _authenticate(provider, client, parameters, headers)
    parameters.update(filled(provider, provider.parameters, host, placeholders))
    renamed = {provider.parameter_names.get(k, k): v for k, v in parameters.items()}
    url = resolve_url(provider, host, placeholders=placeholders)
    return TokenRequest(provider.method, url, headers, provider.body, renamed)


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
        case _:
            assert_never(provider.strategy)
    if not token:
        raise UnbuildableRequest(f"the connection stores no {name.replace('_', ' ')}")
    return {
        "grant_type": provider.grant_type or grant,
        provider.token_parameter or name: token.reveal(),
    }


def _authenticate(
    provider: Provider,
    client: ClientCredentials | None,
    parameters: dict[str, str],
    headers: dict[str, str],
) -> None:
    if provider.client_auth is ClientAuth.NONE:
        if client is not None and provider.strategy is not Strategy.LONG_LIVED_EXCHANGE:
            parameters["client_id"] = client.client_id  # a public client names itself
        return
    if client is None:
        raise UnbuildableRequest(f"no app is configured for provider {provider.name}")
    secret = client.client_secret.reveal() if client.client_secret else ""
    raw = provider.client_auth is ClientAuth.BASIC_RAW
    if raw or provider.client_auth is ClientAuth.BASIC:
        # RFC 6749 section 2.3.1: both halves are form-encoded before the colon joins them.
        encode = str if raw else quote_plus
        pair = f"{encode(client.client_id)}:{encode(secret)}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        return
    parameters["client_id"] = client.client_id
    if secret:
        parameters["client_secret"] = secret


def build_revocation(
    provider: Provider,
    *,
    client: ClientCredentials | None,
    token: Secret,
    host: str | None = None,
    placeholders: Mapping[str, str] | None = None,
) -> TokenRequest | None:
    """Returns the request that ends a grant by its token (RFC 7009 section 2.1), None without a URL.

    `token` is the refresh token where there is one: its end is that of the access tokens as well.
    Raises `UnbuildableRequest`.
    """
    if provider.revocation_url is None:
        return None
    parameters, headers = {"token": token.reveal()}, {"Accept": "application/json"}
    headers |= filled(provider, provider.headers, host, placeholders)
    _authenticate(provider, client, parameters, headers)
    renamed = {provider.parameter_names.get(k, k): v for k, v in parameters.items()}
    url = resolve_url(provider, host, provider.revocation_url, placeholders)
    return TokenRequest("POST", url, headers, BodyForm.FORM, renamed)


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
    return fill(url, values(provider, [url], host, placeholders, in_url=True))
