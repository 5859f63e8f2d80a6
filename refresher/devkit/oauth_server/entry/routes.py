"""An entry's places on one server: which request is for which of its endpoints.

All of the entry's hosts are played at once: over a socket, a host is the first step of the path.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from refresher.devkit.oauth_server.entry.arrived import places
from refresher.devkit.oauth_server.entry.manner import Manner
from refresher.devkit.oauth_server.entry.places import at_place
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.token_endpoint import TokenEndpoint
from refresher.rules.consent import Consent, Identity, SecondStep
from refresher.rules.providers import Provider

_CONSENT_URLS = ("code_url", "jwks_url", "issuer")


class EntryRoutes:
    """The application: the places that the entry names, before all others."""

    def __init__(self, manner: Manner, state: ProviderState, others: ASGIApp) -> None:
        """Sends whatever the entry does not name to `others`."""
        self._manner = manner
        self._tokens = TokenEndpoint(state, manner)
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        entry, here = self._manner.entry, places(scope)
        found = {
            name for name, url in _urls(entry) if url and at_place(entry, url, here) is not None
        }
        if {"tokens", "revocation"} <= found:  # one place, two methods
            found -= {"tokens" if scope["method"] == entry.revocation_method else "revocation"}
        request, people = Request(scope, receive), self._manner.people
        if "tokens" in found:
            await self._tokens(scope, receive, send)
        elif "revocation" in found:
            await (await self._manner.revoke(request))(scope, receive, send)
        elif "authorize" in found:
            await (await people.authorize(request))(scope, receive, send)
        elif "userinfo" in found:
            await (await people.userinfo(request))(scope, receive, send)
        elif found:
            await (await people.key_set(request))(scope, receive, send)
        else:
            await self._others(scope, receive, send)


def _urls(entry: Provider) -> list[tuple[str, str | None]]:
    urls = [("tokens", entry.refresh_url or entry.token_url), ("revocation", entry.revocation_url)]
    if (consent := entry.connect) is None:
        return urls
    urls += [("tokens", consent.code_url or entry.token_url), ("authorize", entry.authorize_url)]
    urls += [("userinfo", entry.userinfo_url), ("keys", consent.jwks_url)]
    return urls + ([("tokens", consent.second_step.url)] if consent.second_step else [])


def local(entry: Provider, url: str) -> Provider:
    """Returns the entry with its places at the server behind `url`, each host a step of the path."""

    def here(place: str) -> str:
        return f"{url}/{place.partition('://')[2]}"

    def there(place: str | None) -> str | None:
        return place and here(place)

    consent = entry.connect
    step = consent.second_step if consent else None
    audience = entry.assertion_audience or entry.refresh_url or entry.token_url
    return replace(
        entry,
        token_url=here(entry.token_url),
        refresh_url=there(entry.refresh_url),
        revocation_url=there(entry.revocation_url),
        authorize_url=there(entry.authorize_url),
        identity_url=there(entry.identity_url),
        connect=consent
        and replace(
            consent,
            code_url=there(consent.code_url),
            jwks_url=there(consent.jwks_url),
            issuer=there(consent.issuer),
            identity=replace(consent.identity, url=there(consent.identity.url)),
            second_step=step and replace(step, url=here(step.url)),
        ),
        assertion_audience=audience if entry.signs else entry.assertion_audience,
    )


def places_of(consent: Consent) -> dict[str, Any]:
    """Returns what a providers file has to say where a consent's endpoints are others."""
    told: dict[str, Any] = {
        name: url for name in _CONSENT_URLS if (url := getattr(consent, name)) is not None
    }
    if consent.identity.url is not None:
        told["identity"] = _told(consent.identity)
    if consent.second_step is not None:
        told["second_step"] = _told(consent.second_step)
    return told


def _told(table: Identity | SecondStep) -> dict[str, Any]:
    """Returns a table as a file would have it, without what it leaves to the defaults."""
    found = {field.name: getattr(table, field.name) for field in fields(table)}
    return {name: _plain(value) for name, value in found.items() if value not in (None, (), {})}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
