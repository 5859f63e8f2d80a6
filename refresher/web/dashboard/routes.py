"""All routes of the dashboard: one line for each module of `pages/`."""

from __future__ import annotations

from refresher.web.dashboard.pages import (
    account,
    audit,
    bulk,
    connect,
    connection,
    connections,
    deeds,
    doctor,
    editing,
    endpoint,
    endpoint_deeds,
    keys,
    organizations,
    overview,
    provider,
    provider_deeds,
    providers,
    recipients,
    reconnect,
    refreshing,
    replaying,
    webhooks,
)
from refresher.web.dashboard.routing import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *connections.ROUTES,
    *connection.ROUTES,
    *account.ROUTES,
    *deeds.ROUTES,
    *connect.ROUTES,
    *webhooks.ROUTES,
    *endpoint.ROUTES,
    *endpoint_deeds.ROUTES,
    *replaying.ROUTES,
    *recipients.ROUTES,
    *organizations.ROUTES,
    *keys.ROUTES,
    *audit.ROUTES,
    *doctor.ROUTES,
    *reconnect.ROUTES,
    *bulk.ROUTES,
    *refreshing.ROUTES,
    *editing.ROUTES,
    *providers.ROUTES,
    *provider.ROUTES,
    *provider_deeds.ROUTES,
)
