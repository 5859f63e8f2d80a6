"""All routes of the dashboard: one line for each module of `pages/`."""

from __future__ import annotations

from refresher.web.dashboard.pages import (
    account,
    audit,
    connect,
    connection,
    deeds,
    doctor,
    editing,
    keys,
    overview,
    reconnect,
    refreshing,
)
from refresher.web.dashboard.routing import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *connection.ROUTES,
    *account.ROUTES,
    *deeds.ROUTES,
    *connect.ROUTES,
    *keys.ROUTES,
    *audit.ROUTES,
    *doctor.ROUTES,
    *reconnect.ROUTES,
    *refreshing.ROUTES,
    *editing.ROUTES,
)
