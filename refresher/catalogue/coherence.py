"""Whether a provider's fields make sense together. Pure: yields sentences, raises nothing.

What a field may be by itself is in `schema.py`; URLs and hosts are in `hosts.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from urllib.parse import urlsplit

from refresher.catalogue.hosts import host_faults, url_faults
from refresher.catalogue.placeholders import placeholder_faults
from refresher.errors import did_you_mean
from refresher.rules.providers import Body, ClientAuth, Provider, Strategy

SECRET_PARAMETERS = ("client_secret", "refresh_token", "access_token", "client_assertion")
MAX_FIELD_NAME = 120
SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
_FACTS = tuple(field.name for field in fields(Provider))


def faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    """Yields every contradiction in `provider`, each as one sentence that begins with a field."""
    for field in ("token_url", "refresh_url", "revocation_url"):
        url = getattr(provider, field)
        if url is not None:
            yield from url_faults(
                field, url, allow_loopback=allow_loopback, placeholders=provider.placeholders
            )
    yield from host_faults(provider)
    yield from placeholder_faults(provider)
    yield from _kept_field_faults(provider)
    yield from _strategy_faults(provider)
    yield from _request_faults(provider)
    yield from _error_faults(provider)
    yield from _duration_faults(provider)
    yield from _fact_faults(provider)


def _strategy_faults(provider: Provider) -> Iterator[str]:
    match provider.strategy:
        case Strategy.LONG_LIVED_EXCHANGE if provider.grant_type is None:
            yield (
                "grant_type is missing: long_lived_exchange needs the provider's own, "
                'such as "fb_exchange_token"'
            )
        case Strategy.CLIENT_CREDENTIALS if provider.client_auth is ClientAuth.NONE:
            yield 'client_auth is "none", but client_credentials is nothing without a client'
        case _:
            return


def _request_faults(provider: Provider) -> Iterator[str]:
    if provider.method == "GET" and provider.body is not Body.QUERY:
        yield 'method is "GET", which has no body: set body = "query"'
    url = provider.refresh_url or provider.token_url
    if provider.body is Body.QUERY and "?" in url:
        yield 'body is "query", but the URL has a query already: move it to parameters'
    for name in SECRET_PARAMETERS:
        if name in provider.parameters:
            yield f"parameters must not hold {name}: secrets belong to connections and to [apps]"
    for name, value in provider.headers.items():
        if name.lower() in SECRET_HEADERS:
            yield f"headers must not hold {name}: client_auth and [apps] do that"
        elif not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not value.isprintable():
            yield f'headers has "{name}", whose name or value no HTTP header may have'


def _kept_field_faults(provider: Provider) -> Iterator[str]:
    for name in provider.keep_fields:
        if name in SECRET_PARAMETERS:
            yield f'keep_fields has "{name}", which is stored anyway, or never: leave it out'
        elif len(name) > MAX_FIELD_NAME or not name.isprintable():
            yield f"keep_fields has a name that is longer than {MAX_FIELD_NAME} characters, or odd"


def _error_faults(provider: Provider) -> Iterator[str]:
    lists = ("dead_grant_errors", "misconfigured_errors", "retry_errors")
    seen: dict[str, str] = {}
    for field in lists:
        for code in sorted(getattr(provider, field)):
            if code in seen:
                yield f'{field} has "{code}", which stands in {seen[code]} too'
            seen.setdefault(code, field)
    lives = {"expires_in": "access_token_lifetime_fields"}
    lives["refresh_token_expires_in"] = "refresh_token_lifetime_fields"
    for name, field in lives.items():
        if name in provider.answer_names and name not in getattr(provider, field):
            yield f'answer_names has {name}, which {field} lacks: add "{name}" there'
    for code in sorted(provider.retry_errors):
        if ": " not in code:
            yield (
                f'retry_errors has "{code}", but takes exceptions only: a code, a colon and how '
                "the description begins (any code that is listed nowhere is retried)"
            )


def _duration_faults(provider: Provider) -> Iterator[str]:
    life = provider.access_token_lifetime_seconds
    if life is None:
        return
    for field in ("not_before_expiry_seconds", "min_token_age_seconds"):
        seconds = getattr(provider, field)
        if seconds is not None and seconds >= life:
            yield f"{field} is {seconds:g}, not less than access_token_lifetime_seconds ({life:g})"


def _fact_faults(provider: Provider) -> Iterator[str]:
    for name in provider.unsure:
        if name not in _FACTS:
            yield f'unsure names "{name}", which is no field{did_you_mean(name, _FACTS)}'
    for source in provider.sources:
        if urlsplit(source).scheme not in {"https", "http"}:
            yield f'sources has "{source}", which is no link'
