"""Providers and apps: what the catalogue knows, and our OAuth clients. A client secret only goes in."""

from __future__ import annotations

from refresher.catalogue import AppEntry
from refresher.connections.oauth_apps import store_app
from refresher.errors import UnknownProvider
from refresher.rules.access import Scope
from refresher.rules.connection import Secret
from refresher.rules.providers import Provider
from refresher.store import oauth_apps
from refresher.web.call import Answer, Call, Route
from refresher.web.models import App, AppBody, AppList, ProviderList, ProviderShape
from refresher.web.problems import Problem
from refresher.web.state import State

PROVIDERS = ("catalogue",)
APPS = ("apps",)


def list_providers(state: State, call: Call) -> Answer:
    """Lists the catalogue."""
    del call
    return Answer({"items": [_shown(state, p) for p in state.services.catalogue.providers]})


def show_provider(state: State, call: Call) -> Answer:
    """Shows one provider."""
    try:
        return Answer(_shown(state, state.services.catalogue[call.path["name"]]))
    except UnknownProvider:
        sentence = "no provider has this name: GET /v1/providers lists all"
        raise Problem("no_such_provider", sentence) from None


def list_apps(state: State, call: Call) -> Answer:
    """Lists our OAuth clients, never their secrets."""
    del call
    with state.services.database.transaction() as db:
        return Answer({"items": oauth_apps.every(db)})


def put_app(state: State, call: Call) -> Answer:
    """Stores an app; connections that waited for it, or for its right secret, go on at once."""
    services, given = state.services, call.body
    services.catalogue[given.provider]
    secret = Secret(given.client_secret) if given.client_secret is not None else None
    entry = AppEntry(given.provider, given.client_id, secret, given.name)
    store_app(services.database, services.cipher, entry, call.key.actor)
    with services.database.transaction() as db:
        stored = next(
            app
            for app in oauth_apps.every(db)
            if (app.provider, app.name) == (given.provider, given.name)
        )
    return Answer(stored)


def _shown(state: State, provider: Provider) -> dict[str, object]:
    return {
        "name": provider.name,
        "title": provider.title,
        "origin": state.services.catalogue.origin(provider.name),
        "strategy": provider.strategy,
        "token_url": provider.token_url,
        "revocation_url": provider.revocation_url,
        "needs_app": provider.needs_app,
        "needs_host": "{host}" in provider.token_url and provider.default_host is None,
        "rotation": provider.rotation,
        "reuse_grace_seconds": provider.reuse_grace_seconds,
        "access_token_lifetime_seconds": provider.access_token_lifetime_seconds,
        "refresh_token_lifetime_seconds": provider.refresh_token_lifetime_seconds,
        "checked_on": provider.checked_on,
        "sources": provider.sources,
    }


ROUTES = (
    Route(
        "GET",
        "/v1/providers",
        list_providers,
        "List the providers",
        Scope.READ,
        {200: ProviderList},
        tags=PROVIDERS,
    ),
    Route(
        "GET",
        "/v1/providers/{name}",
        show_provider,
        "Show a provider",
        Scope.READ,
        {200: ProviderShape},
        problems=("no_such_provider",),
        tags=PROVIDERS,
    ),
    Route(
        "GET",
        "/v1/apps",
        list_apps,
        "List our OAuth clients",
        Scope.ADMIN,
        {200: AppList},
        description="Needs a key for all organizations, which share the apps.",
        for_all_organizations=True,
        tags=APPS,
    ),
    Route(
        "PUT",
        "/v1/apps",
        put_app,
        "Store an OAuth client of ours",
        Scope.ADMIN,
        {200: App},
        description="The secret is sealed, and never shown again. Needs a key for all organizations.",
        body=AppBody,
        for_all_organizations=True,
        idempotent=True,
        problems=("invalid_connection",),
        tags=APPS,
    ),
)
