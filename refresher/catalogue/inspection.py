"""Shows a provider as plain values, and warns of what loads but deserves a look.

Both serve the command line (`refresher providers show`, `refresher providers check`); a warning
stops nothing. What must not load at all is in `checks.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, asdict, fields
from datetime import date
from enum import Enum
from typing import Any

from refresher.catalogue.checks import trusts_any_server
from refresher.catalogue.entries import AppEntry, Catalogue
from refresher.rules.consent import Consent, Identity, SecondStep
from refresher.rules.facts import Change
from refresher.rules.policy import FALLBACK_LIFETIME_SECONDS
from refresher.rules.providers import ClientAuth, Provider, Slot

MAX_AGE_DAYS = 365
AMBIGUOUS_CODES = frozenset(
    {
        *("access_denied", "invalid_client", "invalid_request", "invalid_scope", "server_error"),
        *("temporarily_unavailable", "unauthorized_client", "unsupported_grant_type"),
    }
)
"""RFC 6749 codes that say other things than "the grant is dead"."""


def describe(provider: Provider) -> dict[str, object]:
    """Returns every field of `provider` as a value that JSON knows."""
    declared = sorted(fields(provider), key=lambda field: field.kw_only is True)
    return {field.name: _plain(getattr(provider, field.name)) for field in declared}


def check(
    catalogue: Catalogue,
    today: date,
    names: Iterable[str] | None = None,
    *,
    every_app: bool = False,
) -> list[str]:
    """Returns warnings about the named providers (all, when none is named) and their apps.

    With `every_app` also about apps of providers that are not named.
    """
    chosen = catalogue.names if names is None else tuple(names)
    warnings = [
        f"{name}: {warning}"
        for name in chosen
        for warning in _provider_warnings(catalogue, catalogue[name], today)
    ]
    for app in catalogue.apps:
        if every_app or app.provider in chosen:
            shown = f"{app.provider}, app {app.name}"
            found = _app_warnings(app, catalogue[app.provider])
            warnings += [f"{shown}: {warning}" for warning in found]
    return warnings


def check_secrets(catalogue: Catalogue) -> list[str]:
    """Returns a warning for each secret that is not there, or stands in the providers file itself."""
    missing = [f"[{one.table}] is not used: {one.why}" for one in catalogue.unusable]
    return missing + [
        f"{app.provider}, app {app.name}: {secret} stands in the file for whoever reads it; "
        f"{secret}_env or {secret}_file keep it elsewhere"
        for app in catalogue.apps
        for secret in app.in_clear
    ]


def _provider_warnings(catalogue: Catalogue, provider: Provider, today: date) -> Iterator[str]:
    consent = provider.connect
    yield from _age("its facts", provider, today)
    yield from _age("its facts of the consent", consent, today) if consent else ()
    if unsure := (*provider.unsure, *(consent.unsure if consent else ())):
        yield f"not confirmed by its documentation: {', '.join(dict.fromkeys(unsure))}"
    if trusts_any_server(provider):
        yield "host_pattern lets a connection name any server; list those that you trust"
    ambiguous = sorted(provider.dead_grant_errors & AMBIGUOUS_CODES)
    if ambiguous:
        yield (
            f"dead_grant_errors has {', '.join(ambiguous)}, which may also mean a general fault "
            "and would disconnect everybody; add a colon and how the description begins"
        )
    from_file = catalogue.origin(provider.name) == "file"
    if from_file and provider.access_token_lifetime_seconds is None:
        yield (
            "access_token_lifetime_seconds is not set, so an answer without expires_in is taken to "
            f"last {FALLBACK_LIFETIME_SECONDS:g} seconds"
        )


def _age(what: str, told: Provider | Consent, today: date) -> Iterator[str]:
    age = (today - told.checked_on).days if told.checked_on else 0
    if age > MAX_AGE_DAYS:
        where = f" against {told.sources[0]}" if told.sources else ""
        yield f"{what} are {age} days old ({told.checked_on}); check them{where}"


def _app_warnings(app: AppEntry, provider: Provider) -> Iterator[str]:
    if not provider.needs_app:
        yield "never used, for requests to this provider do not name an app"
    elif provider.client_auth is ClientAuth.BASIC and not app.client.client_secret:
        yield 'has no secret, though client_auth is "basic"'


def _said(value: object, field: Field[Any]) -> bool:
    """Whether a field is another than where an entry is silent."""
    made = field.default if field.default_factory is MISSING else field.default_factory()
    return bool(getattr(value, field.name) != made)


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case date():
            return value.isoformat()
        case frozenset():
            return sorted(value)
        case tuple():
            return [_plain(asdict(item) if isinstance(item, Change) else item) for item in value]
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case Slot():
            given = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
            shown: object = {name: inner for name, inner in given.items() if inner}
        case Consent() | Identity() | SecondStep():
            shown = {
                f.name: _plain(getattr(value, f.name)) for f in fields(value) if _said(value, f)
            }
        case _:
            shown = value
    return shown
