"""All routes of the dashboard: one line for each module of `pages/`."""

from __future__ import annotations

from refresher.web.dashboard.pages import (
    account,
    connect,
    connection,
    deeds,
    editing,
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
    *refreshing.ROUTES,
    *editing.ROUTES,
    *reconnect.ROUTES,
    *connect.ROUTES,
)
