"""Whether the facts of an entry, which no refresh needs, make sense together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from urllib.parse import urlsplit

from refresher.catalogue.consent_checks import OF_THE_CONSENT
from refresher.catalogue.urls import url_faults
from refresher.errors import did_you_mean
from refresher.rules.providers import Provider

FACT_URLS = ("authorize_url", "identity_url", "introspection_url", "app_url")
_FACTS = tuple(field.name for field in fields(Provider))


def fact_faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    """Yields every contradiction in the facts, each as one sentence that begins with a field."""
    yield from _consent_faults(provider, allow_loopback=allow_loopback)
    for name in provider.unsure:
        if name not in _FACTS:
            yield f'unsure names "{name}", which is no field{did_you_mean(name, _FACTS)}'
    links = [("sources", source) for source in provider.sources]
    links += [("changes", change.url) for change in provider.changes]
    for field, link in links:
        if urlsplit(link).scheme not in {"https", "http"}:
            yield f'{field} has "{link}", which is no link'


def _consent_faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    """Yields what is wrong with the places that people are sent to, and with what is asked there."""
    known = provider.placeholders
    for field in FACT_URLS:
        url = getattr(provider, field)
        if url is None:
            continue
        yield from url_faults(field, url, allow_loopback=allow_loopback, placeholders=known)
        if "{host}" in url and provider.host_pattern is None:
            yield f"{field} has {{host}}, but host_pattern is missing"
    for name in sorted(OF_THE_CONSENT & provider.authorize_parameters.keys()):
        yield f"authorize_parameters must not hold {name}: it is made anew for each consent"
    if provider.identity_url and not (provider.identity_field or provider.connect):
        yield "identity_field is missing: it says where in the answer of identity_url the account is"
