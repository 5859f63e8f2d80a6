"""What we know of a provider, and the two halves of a strategy: build a request, never send it.

A `Provider` is data (from `catalogue/` or the user's file). `build_request` turns it and the opened
tokens into a `TokenRequest` value; `exchange.py` sends that, `outcomes.py` reads the reply.
Sources: RFC 6749 sections 2.3.1, 4.4 and 6.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never
from urllib.parse import quote_plus

from refresher.rules.connection import Secret, value
from refresher.rules.placeholders import UnbuildableRequest, fill, filled, values


class Strategy(StrEnum):
    """How a fresh access token is had."""

    REFRESH_TOKEN = "refresh_token"  # RFC 6749 section 6
    LONG_LIVED_EXCHANGE = "long_lived_exchange"  # the access token itself is the grant
    CLIENT_CREDENTIALS = "client_credentials"  # minted anew, RFC 6749 section 4.4


class ClientAuth(StrEnum):
    """How the app proves itself at the token endpoint.

    `basic_raw` is Basic without the form-encoding of RFC 6749, for servers that compare what is sent as
    it is: it differs for ids and secrets with other characters than letters, digits, `_`, `.` and `-`.
    """

    BASIC = "basic"
    BASIC_RAW = "basic_raw"
    POST = "post"
    NONE = "none"

    @classmethod
    def _missing_(cls, value: object) -> ClientAuth | None:
        """Knows the names of RFC 7591 section 2 as well."""
        return RFC_NAMES.get(value) if isinstance(value, str) else None


RFC_NAMES = {
    "client_secret_basic": ClientAuth.BASIC,
    "client_secret_post": ClientAuth.POST,
}


class Body(StrEnum):
    """Where the parameters travel."""

    FORM = "form"
    JSON = "json"
    QUERY = "query"


class Rotation(StrEnum):
    """Whether a refresh spends the refresh token and answers with another."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"


Path = tuple[str | int, ...]
"""The way to a field of an answer; a number steps into a list, from 0."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_NAMES: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Provider:
    """A catalogue entry. Lifetimes are defaults in seconds: an answer's own figures always win.

    An entry of `dead_grant_errors`, `misconfigured_errors` or `retry_errors` is a code
    (`bad_refresh_token`), or a code and how its description begins
    (`unauthorized_client: Old refresh token used`), which wins over the bare code: some providers
    say two things with one code. `retry_errors` holds only such pairs: exceptions that end and
    pause nothing. Dead-grant codes count with a 4xx; those of `dead_grant_errors_at_any_status`, which
    the user's own file listed, also with a 5xx or a 429. `answer_names` are the provider's names for
    the standard fields of an answer.

    `placeholders` maps names to patterns; `keep_fields` names fields of the answer for callers.
    `replay_after_seconds` is how long a request that gave no answer is left to end before the same
    refresh token is presented again.
    """

    name: str
    token_url: str
    title: str = ""
    strategy: Strategy = Strategy.REFRESH_TOKEN
    refresh_url: str | None = None
    revocation_url: str | None = None  # RFC 7009
    host_pattern: str | None = None
    default_host: str | None = None
    host_example: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    client_auth: ClientAuth = ClientAuth.POST
    body: Body = Body.FORM
    method: str = "POST"
    grant_type: str | None = None
    token_parameter: str | None = None
    parameter_names: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    parameters: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    send_scope: bool = False
    keep_fields: tuple[str, ...] = ()
    response_path: Path = ()
    answer_names: Mapping[str, Path] = field(default_factory=lambda: _NO_NAMES)
    error_path: Path = ("error",)
    error_detail_path: Path = ("error_description",)
    access_token_lifetime_fields: tuple[str, ...] = (
        "expires_in",
        "expires_in_sec",
        "expires_in_seconds",
        "expire_in",
        "access_token_expires_in",
        "access_token_expire_in",
        "expires_at",
        "expires_on",
        "expire_at",
        "access_token_expires_at",
        "access_token_expire_at",
    )
    refresh_token_lifetime_fields: tuple[str, ...] = (
        "refresh_token_expires_in",
        "refresh_expires_in",
        "x_refresh_token_expires_in",
        "refresh_token_expire_in",
        "refresh_token_expires_at",
    )
    dead_grant_errors: frozenset[str] = frozenset()
    dead_grant_errors_at_any_status: frozenset[str] = frozenset()
    misconfigured_errors: frozenset[str] = frozenset()
    retry_errors: frozenset[str] = frozenset()
    success_without_error_codes: frozenset[str] = frozenset()
    rotation: Rotation = Rotation.SOMETIMES
    reuse_grace_seconds: float = 0.0
    replay_after_seconds: float = 0.0
    access_token_lifetime_seconds: float | None = None
    refresh_token_lifetime_seconds: float | None = None
    refresh_token_clock: str = "sliding"
    not_before_expiry_seconds: float | None = None
    min_token_age_seconds: float = 0.0
    max_requests_per_second: float | None = None
    checked_on: date | None = None
    sources: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    notes: str = ""

    @property
    def needs_app(self) -> bool:
        """Whether a request carries the app's identity."""
        return self.client_auth is not ClientAuth.NONE or self.strategy is not (
            Strategy.LONG_LIVED_EXCHANGE
        )


@value
class ClientCredentials:
    """The app's identity, opened for the exchanges of one batch."""

    client_id: str
    client_secret: Secret | None


@value
class TokenRequest:
    """One request to a token endpoint, ready to send. Its `repr` shows no parameter."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Body
    parameters: Mapping[str, str] = field(repr=False)


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
    return TokenRequest("POST", url, headers, Body.FORM, renamed)


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
