"""Every route of the API, once. The server, the OpenAPI document and `/docs` are made from this.

More routes: write a module with a tuple `ROUTES`, and add it here.
"""

from __future__ import annotations

from refresher.web import catalogue, connection_routes, status, tokens
from refresher.web.call import Route

# The token route first: routes are tried in this order.
ROUTES: tuple[Route, ...] = (
    *tokens.ROUTES,
    *connection_routes.ROUTES,
    *catalogue.ROUTES,
    *status.ROUTES,
)


def by_path() -> dict[str, list[Route]]:
    """Returns the routes of each path, in the order of the table."""
    found: dict[str, list[Route]] = {}
    for route in ROUTES:
        found.setdefault(route.path, []).append(route)
    return found
