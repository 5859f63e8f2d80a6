"""Whether what an entry says of a person's consent makes sense together: its table `[connect]`.

Pure: yields sentences. A code, a secret and a token are sent to whatever these fields allow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from urllib.parse import urlsplit

from refresher.catalogue.urls import undeclared, url_faults
from refresher.catalogue.value_checks import SECRET_HEADERS, SECRET_PARAMETERS, made_of_placeholders
from refresher.errors import did_you_mean
from refresher.rules.consent import Consent
from refresher.rules.placeholders import HOST, PLACEHOLDER, named_in
from refresher.rules.providers import BodyForm, Provider, Strategy

OF_THE_CONSENT = frozenset(
    {
        *("client_id", "client_secret", "redirect_uri", "response_type", "scope", "state"),
        *("code_challenge", "code_challenge_method", "nonce"),
    }
)
"""Parameters of an authorization request that no entry knows."""
_OF_THE_CODE = OF_THE_CONSENT | {"code", "code_verifier", "grant_type"}
_FACTS = tuple(field.name for kind in (Consent, Provider) for field in fields(kind))
_OF_THE_APP = ("client_id", "client_secret", "client_basic")
_HOSTS = ("host_from_callback", "host_from_answer", "asks_host")


def consent_faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    """Yields every contradiction about the consent, each as one sentence that begins with a field."""
    consent = provider.connect
    if consent is None:
        return
    if provider.is_minted:
        yield f'connect is set, but strategy is "{provider.strategy}", which asks nobody for consent'
        return
    if provider.authorize_url is None and not provider.is_looked_up:
        yield "authorize_url is missing: connect says what is done there"
    for field, url in _urls(consent).items():
        known = provider.placeholders
        yield from url_faults(field, url, allow_loopback=allow_loopback, placeholders=known)
        if "{host}" in url and provider.host_pattern is None:
            yield f"{field} has {{host}}, but host_pattern is missing"
    yield from _request_faults(provider, consent)
    yield from _value_faults(provider, consent)
    yield from _identity_faults(provider, consent)
    yield from _host_faults(provider, consent)
    yield from _source_faults(consent)


def _urls(consent: Consent) -> dict[str, str]:
    known = {
        "connect.code_url": consent.code_url,
        "connect.jwks_url": consent.jwks_url,
        "connect.identity.url": consent.identity.url,
        "connect.second_step.url": consent.second_step.url if consent.second_step else None,
    }
    return {name: url for name, url in known.items() if url}


def _request_faults(provider: Provider, consent: Consent) -> Iterator[str]:
    """Yields what contradicts itself in how people are sent there, and how the code is exchanged."""
    method, body = consent.code_method or provider.method, consent.code_body or provider.body
    if method == "GET" and body is not BodyForm.QUERY:
        yield 'connect.code_method is "GET", which has no body: set code_body = "query"'
    if consent.pkce_encoding == "hex" and provider.pkce == "no":
        yield 'connect.pkce_encoding is set, but pkce is "no": no challenge is sent'
    exchanged = provider.strategy is Strategy.LONG_LIVED_EXCHANGE
    if exchanged and consent.refresh_token != "never":
        yield (
            'connect.refresh_token must be "never": with long_lived_exchange the access token is '
            "the grant, and no other comes"
        )
    for name in sorted(OF_THE_CONSENT.intersection(consent.parameters)):
        yield f"connect.parameters must not name {name}: it is made anew for each consent"


def _value_faults(provider: Provider, consent: Consent) -> Iterator[str]:
    """Yields what is wrong with what is sent: names, and the placeholders in values."""
    for name in sorted(OF_THE_CONSENT & consent.other_account.keys()):
        yield f"connect.other_account must not hold {name}: it is made anew for each consent"
    for name in sorted(_OF_THE_CODE & consent.code_parameters.keys()):
        yield f"connect.code_parameters must not hold {name}: it is sent anyway"
    step, identity = consent.second_step, consent.identity
    allowed: dict[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
        "other_account": (consent.other_account, ()),
        "code_parameters": (consent.code_parameters, _OF_THE_APP),
        "second_step.parameters": (step.parameters if step else {}, _OF_THE_APP),
        "identity.headers": (identity.headers, (*_OF_THE_APP, "access_token")),
    }
    for field, (table, ours) in allowed.items():
        for key, text in table.items():
            for name in named_in([text]):
                yield from _named_faults(provider, f"connect.{field}.{key}", name, ours)
            if key in SECRET_PARAMETERS and PLACEHOLDER.sub("", text or "-"):
                yield f"connect.{field} must not hold {key}: secrets belong to [apps]"
            elif key.lower() in SECRET_HEADERS and not made_of_placeholders(text):
                yield (
                    f"connect.{field} must not hold {key}, but a value that is made of placeholders, "
                    'such as "Bearer {access_token}"'
                )


def _named_faults(
    provider: Provider, place: str, name: str, ours: tuple[str, ...]
) -> Iterator[str]:
    if name == HOST and provider.host_pattern is None:
        yield f"{place} has {{host}}, but host_pattern is missing"
    elif name not in {*provider.placeholders, *ours, HOST}:
        yield f"{place} has {{{name}}}, {undeclared(name)}"


def _identity_faults(provider: Provider, consent: Consent) -> Iterator[str]:
    identity = consent.identity
    asked = "userinfo" in identity.found_in
    if asked and not provider.userinfo_url and not provider.is_looked_up:
        yield "connect.identity.url is missing: it says where userinfo is asked"
    for field in () if asked else ("url", "headers", "body"):
        if getattr(identity, field):
            yield f'connect.identity.{field} is set, but found_in does not have "userinfo"'
    if identity.body is not None and identity.method == "GET":
        yield 'connect.identity.body is set, but a GET has none: set method = "POST"'
    if identity.body is not None and not _is_object(identity.body):
        yield "connect.identity.body is no JSON object"
    reads_claims = "id_token" in identity.found_in or consent.callback_claims
    if consent.jwks_url and not reads_claims:
        yield 'connect.jwks_url is set, but identity.found_in does not have "id_token"'
    if consent.callback_claims and "openid" not in (*consent.scopes, *provider.default_scopes):
        yield 'connect.callback_claims is set, but scopes lack "openid": no id_token comes'


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _host_faults(provider: Provider, consent: Consent) -> Iterator[str]:
    for field in _HOSTS:
        if getattr(consent, field) and provider.host_pattern is None:
            yield f"connect.{field} is set, but host_pattern is missing"


def _source_faults(consent: Consent) -> Iterator[str]:
    for name in consent.unsure:
        if name not in _FACTS:
            yield f'connect.unsure names "{name}", which is no field{did_you_mean(name, _FACTS)}'
    for source in consent.sources:
        if urlsplit(source).scheme not in {"https", "http"}:
            yield f'connect.sources has "{source}", which is no link'
