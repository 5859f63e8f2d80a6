"""What an entry says in values that are sent: no secret in the file, and none in a URL that is kept.

Pure: yields sentences. How a grant is given back is looked at here as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from refresher.catalogue.urls import undeclared
from refresher.rules.fillings import RESERVED, SECRETS, TOKEN
from refresher.rules.placeholders import HOST, PLACEHOLDER, named_in
from refresher.rules.providers import BodyForm, ClientAuth, Provider

SECRET_PARAMETERS = ("client_secret", "refresh_token", "access_token", "client_assertion")
SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
PARAMETERS = ("parameters", "query", "revocation_parameters")
HEADERS = ("headers", "revocation_headers")
CLAIMS = ("assertion", "client_assertion")
BASIC = (ClientAuth.BASIC, ClientAuth.BASIC_RAW)
_OF_REVOCATION = {f.name: f for f in fields(Provider) if f.name.startswith("revocation_")}


def value_faults(provider: Provider) -> Iterator[str]:
    """Yields what is wrong with the values of parameters, headers and query, and with their names."""
    for field in (*PARAMETERS, *HEADERS, *CLAIMS):
        for key, text in getattr(provider, field).items():
            for name in named_in([text]):
                yield from _named_faults(provider, f"{field}.{key}", name)
    for name in named_in([provider.assertion_audience or ""]):
        yield from _named_faults(provider, "assertion_audience", name)
    for field in PARAMETERS:
        table = getattr(provider, field)
        for name in SECRET_PARAMETERS:
            if name in table and PLACEHOLDER.sub("", table[name] or "-"):
                yield f"{field} must not hold {name}: secrets belong to connections and to [apps]"
    for field in HEADERS:
        for name, value in getattr(provider, field).items():
            yield from _header_faults(provider, field, name, value)


def _named_faults(provider: Provider, place: str, name: str) -> Iterator[str]:
    """Yields what is wrong with one placeholder in a value."""
    known = {*provider.placeholders, *({HOST} if provider.host_pattern else ())}
    if name == TOKEN and not place.startswith("revocation_"):
        yield f"{place} has {{token}}, which is what is given back: use {{refresh_token}}"
    elif name in SECRETS and place.startswith((*CLAIMS, "assertion_audience")):
        yield f"{place} has {{{name}}}, and claims are for everybody to read: leave it out"
    elif name in SECRETS and place.startswith("query."):
        yield (
            f"{place} has {{{name}}}, and URLs are written down by whoever passes them on: put "
            "it into headers or parameters"
        )
    elif name in RESERVED or name in known:
        return
    elif name == HOST:
        yield f"{place} has {{host}}, but host_pattern is missing"
    else:
        yield f"{place} has {{{name}}}, {undeclared(name)}"


def _header_faults(provider: Provider, field: str, name: str, value: str) -> Iterator[str]:
    is_secret = name.lower() in SECRET_HEADERS
    if is_secret and not made_of_placeholders(value):
        yield (
            f"{field} must not hold {name}: client_auth and [apps] do that, or a value that is made "
            'of placeholders, such as "Bearer {access_token}"'
        )
    elif not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not value.isprintable():
        yield f'{field} has "{name}", whose name or value no HTTP header may have'
    elif name.lower() == "authorization":
        auth = provider.client_auth
        if field == "revocation_headers":
            auth = provider.revocation_client_auth or auth
        if auth in BASIC:
            which = "client_auth" if field == "headers" else "revocation_client_auth"
            yield f'{field} has {name}, which HTTP Basic fills: set {which} to "none" or "post"'


def made_of_placeholders(value: str) -> bool:
    """Whether a value is one scheme's word and placeholders: then no secret stands in the file."""
    return bool(re.fullmatch(rf"(?:[A-Za-z]{{1,20}} )?(?:{PLACEHOLDER.pattern}:?)+", value))


def revocation_faults(provider: Provider) -> Iterator[str]:
    """Yields what contradicts itself in how a grant is given back."""
    if provider.revocation_url is None and provider.issuer is not None:
        return  # its metadata may tell
    if provider.revocation_url is None:
        bare = Provider(provider.name, provider.token_url)
        for name in _OF_REVOCATION:
            if getattr(provider, name) != getattr(bare, name):
                yield f"{name} is set, but revocation_url is missing"
                return
        return
    in_url = provider.revocation_body is BodyForm.QUERY
    if provider.revocation_method == "GET" and not in_url:
        yield 'revocation_method is "GET", which has no body: set revocation_body = "query"'
    told = {**provider.revocation_parameters, **provider.revocation_headers, **provider.headers}
    if not {TOKEN, "access_token", "refresh_token"}.intersection(named_in(told.values())):
        yield "revocation_parameters and revocation_headers name no token: one of them has {token}"
