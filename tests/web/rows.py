"""The API's operations as rows, for tests that go through all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refresher.rules.access import Scope
from refresher.web.app import OPERATIONS
from refresher.web.routes import ApiRoute
from refresher.web.visits import OpenRoute


@dataclass(frozen=True)
class Route:
    """One operation; `bodies` are the media types that it takes, with what is said of each."""

    method: str
    path: str
    scope: Scope | None
    for_all_organizations: bool
    body: Any
    bodies: Mapping[str, Any]
    is_open: bool


def _row(operation: ApiRoute) -> Route:
    extra = operation.openapi_extra or {}
    return Route(
        method=next(iter(operation.methods or ())),
        path=operation.path_format,
        scope=operation.needed,
        for_all_organizations=operation.needed is Scope.ADMIN
        or operation.path_format == "/v1/stats/history",
        body=operation.takes.get("body"),
        bodies=extra.get("requestBody", {}).get("content", {}),
        is_open=isinstance(operation, OpenRoute),
    )


EVERY = [_row(operation) for operation in OPERATIONS if operation.include_in_schema]
ROUTES = [route for route in EVERY if not route.is_open]
