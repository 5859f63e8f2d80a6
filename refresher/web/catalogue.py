"""Providers, what is left alone of them for a while, and our OAuth clients at them.

A client secret only goes in. Apps and pauses are everybody's: for keys of all organizations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from refresher.catalogue import AppEntry, checked_app, telling
from refresher.connections.oauth_apps import end_rotation, rotate_secret, store_app
from refresher.errors import UnknownProvider
from refresher.rules.changes import announced
from refresher.rules.connect_view import ConnectView, connecting
from refresher.rules.connection import Secret
from refresher.rules.facts import Category, Change
from refresher.rules.providers import Provider, Rotation, Strategy
from refresher.store import audit, inspection, oauth_apps, pause_list
from refresher.store.audit import AuditEntry
from refresher.store.oauth_apps import AppView
from refresher.store.pause_list import Chosen, PauseView
from refresher.web.app_shapes import AppBody, AppNamed, NextSecret
from refresher.web.dependencies import ONCE, Admin, Caller, Reader, with_problems
from refresher.web.paging import Items
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import PauseQuery, ProviderQuery

router = APIRouter(prefix="/v1", route_class=ApiRoute)
ProviderName = Annotated[
    str,
    Path(
        alias="name",
        json_schema_extra={"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9_-]+$"},
    ),
]


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """Something that a provider has announced, from which day on it holds, and where it says so."""

    on: date
    what: str
    url: str


@dataclass(frozen=True, slots=True)
class ProviderView:
    """What is known of a provider. `warnings`: its changes that are near, while connections use it.

    `placeholders`: what each connection names of its own, with the patterns. `pkce` is null where it is
    not known; `unsure` names the fields that the provider's documentation does not confirm.
    """

    name: str
    title: str
    category: Category | None
    origin: Literal["built-in", "file", "discovered"]
    strategy: Strategy
    token_url: str
    revocation_url: str | None
    revocation_ends: Literal["grant", "account"]
    needs_app: bool
    needs_host: bool
    placeholders: dict[str, str]
    authorize_url: str | None
    authorize_parameters: dict[str, str]
    default_scopes: list[str]
    pkce: Literal["required", "supported", "no"] | None
    keep_fields: list[str]
    rotation: Rotation
    reuse_grace_seconds: float
    access_token_lifetime_seconds: float | None
    refresh_token_lifetime_seconds: float | None
    checked_on: date | None
    sources: list[str]
    unsure: list[str]
    notes: str
    changes: list[ProviderChange]
    warnings: list[str]
    connect: ConnectView


@dataclass(frozen=True, slots=True)
class PausesEnded:
    """The pauses that were ended, by name."""

    ended: list[str]


@router.get("/providers", tags=["catalogue"])
def list_providers(caller: Reader, query: Annotated[ProviderQuery, Query()]) -> Items[ProviderView]:
    """List the providers."""
    found: Sequence[Provider] = caller.services.catalogue.providers
    if query.search is not None:
        found = telling.search(found, query.search)
    return Items(_shown(caller, [p for p in found if query.category in {None, p.category}]))


@router.get(
    "/providers/{name}", tags=["catalogue"], openapi_extra=with_problems("no_such_provider")
)
def show_provider(caller: Reader, name: ProviderName) -> ProviderView:
    """Show a provider."""
    return _shown(caller, [known_provider(caller, name)])[0]


@router.get("/apps", tags=["apps"])
def list_apps(caller: Admin) -> Items[AppView]:
    """List our OAuth clients.

    Needs a key for all organizations, which share the apps.
    """
    with caller.database.transaction() as db:
        return Items(oauth_apps.every(db))


@router.put(
    "/apps",
    tags=["apps"],
    dependencies=[ONCE],
    openapi_extra=with_problems("invalid_connection", "invalid_app"),
)
def put_app(caller: Admin, body: AppBody) -> AppView:
    """Store an OAuth client of ours, as a whole.

    Secrets and keys are sealed, and never shown again. Needs a key for all organizations.
    """
    services = caller.services
    provider = services.catalogue[body.provider]
    entry = AppEntry(body.provider, checked_app(body.client(), provider), body.name)
    store_app(services.database, services.cipher, entry, caller.actor)
    return _stored(caller, body)


@router.post(
    "/apps/rotate-secret",
    tags=["apps"],
    dependencies=[ONCE],
    openapi_extra=with_problems("no_such_app", "invalid_app", "token_unavailable"),
)
def rotate_app_secret(caller: Admin, body: NextSecret) -> AppView:
    """Store a new client secret, and keep the one before.

    Whichever is refused, the other is tried, until `end-rotation`. Needs a key for all
    organizations.
    """
    services, secret = caller.services, Secret(body.client_secret)
    rotate_secret(
        services.database, services.cipher, body.provider, body.name, secret, caller.actor
    )
    return _stored(caller, body)


@router.post(
    "/apps/end-rotation",
    tags=["apps"],
    dependencies=[ONCE],
    openapi_extra=with_problems("no_such_app", "token_unavailable"),
)
def end_app_rotation(caller: Admin, body: AppNamed) -> AppView:
    """Forget the client secret before.

    Needs a key for all organizations.
    """
    services = caller.services
    end_rotation(services.database, services.cipher, body.provider, body.name, caller.actor)
    return _stored(caller, body)


def _stored(caller: Caller, app: AppNamed) -> AppView:
    with caller.database.transaction() as db:
        stored = {(one.provider, one.name): one for one in oauth_apps.every(db)}
    return stored[app.provider, app.name]


@router.get("/pauses", tags=["catalogue"])
def list_pauses(caller: Admin) -> Items[PauseView]:
    """List what is left alone for a while.

    Needs a key for all organizations: a pause may hold several.
    """
    with caller.database.transaction() as db:
        return Items(pause_list.held(db))


@router.delete(
    "/providers/{name}/pauses",
    tags=["catalogue"],
    dependencies=[ONCE],
    openapi_extra=with_problems("no_such_provider"),
)
def end_pauses(
    caller: Admin, name: ProviderName, query: Annotated[PauseQuery, Query()]
) -> PausesEnded:
    """End a provider's pauses.

    What waited for them is tried at once, dead tokens first. If the trouble lasts, the same pauses come
    back. Needs a key for all organizations.
    """
    known_provider(caller, name)
    with caller.database.transaction() as db:
        ended = pause_list.end(db, Chosen(name, host=query.host, app_name=query.app))
        audit.append(db, [AuditEntry(caller.key.id, "unpaused", subject=f"provider:{name}")])
    return PausesEnded([f"{pause.scope}:{pause.key}" for pause in ended])


def known_provider(caller: Caller, name: str) -> Provider:
    """Returns a provider of the catalogue; raises 404."""
    try:
        return caller.services.catalogue[name]
    except UnknownProvider:
        raise no_such_provider() from None


def no_such_provider() -> Problem:
    """Returns the problem for a name that no provider has."""
    return Problem("no_such_provider", "no provider has this name: GET /v1/providers lists all")


def _shown(caller: Caller, providers: Sequence[Provider]) -> list[ProviderView]:
    """Returns these providers, with warnings for those in use by the organization that asks."""
    with caller.database.transaction() as db:
        used = inspection.in_use(db, caller.organization_id)
        with_app = {provider for provider, _ in oauth_apps.names(db)}
    near = announced([one for one in providers if one.name in used.providers], used.today)
    return [
        _view(
            caller,
            one,
            [told.sentence for told in near if told.provider == one.name],
            has_app=one.name in with_app or not one.needs_app,
        )
        for one in providers
    ]


def _view(
    caller: Caller, provider: Provider, warnings: list[str], *, has_app: bool
) -> ProviderView:
    settings = caller.services.settings
    return ProviderView(
        name=provider.name,
        title=provider.title,
        category=provider.category,
        origin=caller.services.catalogue.origin(provider.name),
        strategy=provider.strategy,
        token_url=provider.token_url,
        revocation_url=provider.revocation_url,
        revocation_ends=provider.revocation_ends,
        needs_app=provider.needs_app,
        needs_host="{host}" in provider.token_url and provider.default_host is None,
        placeholders=dict(provider.placeholders),
        authorize_url=provider.authorize_url,
        authorize_parameters=dict(provider.authorize_parameters),
        default_scopes=list(provider.default_scopes),
        pkce=provider.pkce,
        keep_fields=list(provider.keep_fields),
        rotation=provider.rotation,
        reuse_grace_seconds=provider.reuse_grace_seconds,
        access_token_lifetime_seconds=provider.access_token_lifetime_seconds,
        refresh_token_lifetime_seconds=provider.refresh_token_lifetime_seconds,
        checked_on=provider.checked_on,
        sources=list(provider.sources),
        unsure=list(provider.unsure),
        notes=provider.notes,
        changes=[_change(one) for one in provider.changes],
        warnings=warnings,
        connect=connecting(provider, settings.public_url, is_on=settings.connect, has_app=has_app),
    )


def _change(change: Change) -> ProviderChange:
    return ProviderChange(change.on, change.what, change.url)
