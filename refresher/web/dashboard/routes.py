"""All routes of the dashboard: one line for each module of `pages/`."""

from __future__ import annotations

from refresher.web.dashboard.pages import account, overview
from refresher.web.dashboard.routing import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *account.ROUTES,
)
