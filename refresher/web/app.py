"""Puts the ASGI application together: the API's endpoints, its documents, and health."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Message, Receive, Scope, Send

from refresher.runtime.health import Probe
from refresher.runtime.services import Services
from refresher.runtime.serving.server import process_pages
from refresher.settings import Settings
from refresher.web.endpoint import Endpoint, not_found
from refresher.web.open import OpenEndpoint
from refresher.web.pages import pages
from refresher.web.state import State
from refresher.web.table import OPEN, by_path


class Api:
    """The application of one process. `close` when the server has stopped."""

    def __init__(self, services: Services, probe: Probe | None = None) -> None:
        self.state = State(services)
        api: list[BaseRoute] = [
            Route(_pattern(path), Endpoint(self.state, rows)) for path, rows in by_path().items()
        ]
        api += [Route(route.path, OpenEndpoint(self.state, route)) for route in OPEN]
        health = process_pages(probe, services.settings, at_port=True) if probe is not None else []
        self._headers = _headers(services.settings)
        self._router = Router([*api, *pages(), *health], default=not_found, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""

        def with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            return send(message)

        await self._router(scope, receive, with_headers)

    def close(self) -> None:
        """Lets what is under way end, and gives threads back."""
        self.state.close()


def _headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """Returns what every answer carries, whoever gives it."""
    headers = [(b"x-content-type-options", b"nosniff")]
    if settings.hsts_seconds:
        headers.append((b"strict-transport-security", b"max-age=%d" % settings.hsts_seconds))
    return headers


def _pattern(path: str) -> str:
    """Returns a path as the router takes it: an organization's id is the caller's, and may have a /."""
    return path.replace("{organization_id}", "{organization_id:path}")
