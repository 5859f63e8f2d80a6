"""Every route of the API, once. The server, the OpenAPI document and `/docs` are made from this.

More routes: write a module with a tuple `ROUTES`, and add it here.
"""

from __future__ import annotations

from refresher.web import (
    answers,
    catalogue,
    connection_routes,
    organizations,
    pauses,
    recipients,
    resume,
    signals,
    status,
    tokens,
    webhook_routes,
)
from refresher.web.call import Route
from refresher.web.open import OpenRoute

# The token route first: routes are tried in this order.
ROUTES: tuple[Route, ...] = (
    *tokens.ROUTES,
    *connection_routes.ROUTES,
    *resume.ROUTES,
    *webhook_routes.ROUTES,
    *recipients.ROUTES,
    *organizations.ROUTES,
    *catalogue.ROUTES,
    *pauses.ROUTES,
    *answers.ROUTES,
    *status.ROUTES,
)

# Without an API key: what is called from outside, and carries its own proof.
OPEN: tuple[OpenRoute, ...] = (*resume.OPEN, *signals.OPEN)
EVERY: tuple[Route | OpenRoute, ...] = (*ROUTES, *OPEN)


def by_path() -> dict[str, list[Route]]:
    """Returns the routes of each path, in the order of the table."""
    found: dict[str, list[Route]] = {}
    for route in ROUTES:
        found.setdefault(route.path, []).append(route)
    return found
