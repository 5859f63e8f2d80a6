"""Puts the ASGI application together: the token route, the pages, health, and FastAPI behind them.

More operations: write a module with a router of `ApiRoute`s, and add it here.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from refresher.runtime.health import Probe
from refresher.runtime.services import Services
from refresher.runtime.serving.server import process_pages
from refresher.settings import Settings
from refresher.web import (
    answers,
    bulk,
    catalogue,
    connect_sessions,
    connections,
    organizations,
    recipients,
    resume,
    signals,
    status,
    tokens,
    webhooks,
)
from refresher.web.connect.app import ConnectPages, is_page
from refresher.web.dashboard import app as dashboard
from refresher.web.docs import pages
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.state import Shared
from refresher.web.token_endpoint import TokenApp

ROUTERS = (
    *(tokens.router, connections.router, resume.router, webhooks.router, recipients.router),
    *(
        connect_sessions.router,
        organizations.router,
        catalogue.router,
        answers.router,
        bulk.router,
        status.router,
    ),
    *(resume.visits, signals.router),
)
OPERATIONS = [route for one in ROUTERS for route in one.routes if isinstance(route, ApiRoute)]
SILENT: Any = dict.fromkeys(("tracing", "metrics", "logs", "operation_spans"), False)
"""FastAPI's own telemetry would tell what requests hold; what we tell is in `runtime/`."""


@cache
def _documents(public_url: str | None) -> list[Route]:
    """Returns the pages about the API, which take a while to make."""
    return pages(OPERATIONS, public_url)


class Api:
    """The application of one process. `close` when the server has stopped."""

    def __init__(self, services: Services, probe: Probe | None = None) -> None:
        self.state = Shared(services)
        behind = FastAPI(openapi_url=None, telemetry=SILENT, exception_handlers={404: _not_found})
        behind.state.shared = self.state
        behind.router.routes[:] = OPERATIONS
        behind.router.redirect_slashes = False
        first = Route(tokens.PATH, TokenApp(self.state))
        health = process_pages(probe, services.settings, at_port=True) if probe is not None else []
        own = [first, *_documents(services.settings.public_url), *health]
        self._headers = _headers(services.settings)
        self._connect = ConnectPages(services) if services.settings.connect else None
        has_pages = services.settings.dashboard != "off"
        self._dashboard = dashboard.Dashboard(self.state) if has_pages else None
        self._router = Router(own, default=behind, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. HEAD is served as GET; the server leaves the body out."""

        def with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            return send(message)

        if self._connect is not None and is_page(scope["path"]):
            await self._connect(scope, receive, send)
            return
        if self._dashboard is not None and dashboard.is_page(scope["path"]):
            await self._dashboard(scope, receive, send)
            return
        served = {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope
        await self._router(served, receive, with_headers)

    def close(self) -> None:
        """Lets what is under way end, and gives threads back."""
        if self._connect is not None:
            self._connect.close()
        if self._dashboard is not None:
            self._dashboard.close()
        self.state.close()


def _headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """Returns what every answer carries, whoever gives it."""
    headers = [(b"x-content-type-options", b"nosniff")]
    if settings.hsts_seconds:
        headers.append((b"strict-transport-security", b"max-age=%d" % settings.hsts_seconds))
    return headers


async def _not_found(request: Request, _error: Exception) -> Response:
    """Answers for every path that is none of ours."""
    path = str(request.scope["path"])
    trimmed = path.rstrip("/")
    slash = f"without the slash at its end, {trimmed} may be one; " if trimmed != path else ""
    sentence = f"there is no such page: {slash}/docs lists all routes"
    return Problem("not_found", sentence).response(path)
