"""The ASGI application of `/connect/`: routes, limits, and every ending a page (C27).

It stands beside the API, or alone (`refresher connect` without a web process). What a client put into a
path or a query is in no log: routes are told by their patterns (C25).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refresher.runtime.services import Services
from refresher.web import problems
from refresher.web.connect.gate import Gate, Visitor, visitor_of
from refresher.web.connect.pages import Pages, Refused
from refresher.web.connect.visits import Visits

log = structlog.get_logger()
ROOT = "/connect"
THREADS = 4
"""For the pages alone: who floods them keeps no thread of the API busy."""
QUIET = frozenset({204, 404, 429})
"""What scanners are answered: not worth a line each."""


def is_page(path: str) -> bool:
    """Whether a path is one of these pages, or would be one."""
    return path == ROOT or path.startswith(f"{ROOT}/")


Handle = Callable[[Visitor, str], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A pattern with one part that counts, the method that it takes (GET: HEAD, too), what answers."""

    pattern: str
    method: str
    handle: Handle

    def part(self, path: str) -> str | None:
        """Returns the part of a path that counts here; None for a path of another form."""
        found = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", self.pattern), path)
        return found and found[1]


class ConnectPages:
    """The pages of one process. `close` when the server has stopped."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._trusted, self._hsts_seconds = settings.trusted_proxies, settings.hsts_seconds
        self._pages = Pages(settings.connect_name, settings.connect_templates)
        self._gate = Gate(settings.web_processes)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="connect")
        self._visits = visits = Visits(services, self._pages, self._gate, self._threads)
        self._nowhere = Route("/connect/…", "GET", visits.nothing_here)
        self._routes = (
            Route("/connect/callback/{slug}", "GET", visits.callback),
            Route("/connect/result/{session}", "GET", visits.result),
            Route("/connect/result/{session}/again", "POST", visits.again),
            Route("/connect/client/{file}", "GET", visits.client),
            Route("/connect/self/{nonce}", "GET", visits.self_check),
            Route("/connect/{link}/start", "POST", visits.start),
            Route("/connect/{link}/send", "POST", visits.send),
            Route("/connect/{link}", "GET", visits.look),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens; returns once what it began has ended, too.

        So a server that is asked to stop waits for a code that is under way.
        """
        route, part = self._route(scope["path"])
        try:
            visitor = visitor_of(scope, receive, self._trusted)
            answer = await self._admit(route, part, visitor)
        except Refused as refused:
            answer = self._pages.refusal(refused)
        except Exception as error:  # noqa: BLE001  every error is a page
            answer = self._pages.refusal(_told(error, scope["method"], route.pattern))
        tell = log.debug if answer.status_code in QUIET else log.info
        tell("connect page", method=scope["method"], route=route.pattern, status=answer.status_code)
        if self._hsts_seconds:
            answer.headers["strict-transport-security"] = f"max-age={self._hsts_seconds}"
        await answer(scope, receive, send)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()

    async def _admit(self, route: Route, part: str, visitor: Visitor) -> Response:
        wait = self._gate.wait_seconds(visitor)
        if wait > 0:
            raise Refused("too_many_requests", retry_after_seconds=wait)
        method = "GET" if visitor.method == "HEAD" else visitor.method
        if method != route.method:
            raise Refused("wrong_method", allow=route.method)
        return await route.handle(visitor, part)

    def _route(self, path: str) -> tuple[Route, str]:
        for route in self._routes:
            if (part := route.part(path)) is not None:
                return route, part
        return self._nowhere, ""


def _told(error: Exception, method: str, pattern: str) -> Refused:
    """Returns the page for an error; a bug is told in the log."""
    problem = problems.told(error, method, pattern)
    match problem.code:
        case "database_unavailable":
            return Refused("away", retry_after_seconds=problem.retry_after_seconds)
        case "too_large":
            return Refused("too_large")
        case "invalid_header" | "invalid_json":
            return Refused("wrong_request")
        case _:
            return Refused("internal")
