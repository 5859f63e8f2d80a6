"""Uvicorn on a thread, with the limits of `limits.py` on every connection; each process's pages.

`/health` is for probes and tells nothing but that. `/health/status` and `/metrics` tell about the whole
deployment: they stand on the port of the health page, which is nobody's but the platform's, and on the
API's port only for who brings REFRESHER_STATUS_TOKEN. REFRESHER_STATUS_PORT moves them to a port of
their own.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from refresher.runtime.health import Probe
from refresher.runtime.serving import limits
from refresher.runtime.serving.limits import Crowd
from refresher.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Page = Callable[[Request], Response]
ELSEWHERE = (
    "not on this port: REFRESHER_STATUS_TOKEN opens this page here to who brings it, and "
    "REFRESHER_STATUS_PORT gives it a port of its own\n"
)


class LimitedServer(uvicorn.Server):
    """Looks once a second which clients take too long."""

    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if counter % 10 == 0:
            self._crowd.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)


class Serving:
    """One application on one port, until `stop`."""

    def __init__(
        self, app: ASGIApp, sockets: Sequence[socket.socket], *, most: int, patience_seconds: float
    ) -> None:
        crowd = Crowd(most)
        config = uvicorn.Config(
            app,
            http=partial(_connection(), crowd=crowd),  # type: ignore[arg-type]  # it makes one
            access_log=False,
            log_config=None,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.IDLE_SECONDS,
            timeout_graceful_shutdown=int(patience_seconds),
            h11_max_incomplete_event_size=limits.HEAD_BYTES,
        )
        self._patience_seconds = patience_seconds
        self._server = LimitedServer(config, crowd)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": list(sockets)}, name="http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stops serving; requests that are under way get their answers first."""
        self._server.should_exit = True
        self._thread.join(timeout=self._patience_seconds + 1)


def _connection() -> Callable[..., asyncio.Protocol]:
    """Returns the class of a connection: httptools' where it is installed."""
    try:
        from refresher.runtime.serving.with_httptools import LimitedHttpTools  # noqa: PLC0415
    except ImportError:
        from refresher.runtime.serving.with_h11 import LimitedH11  # noqa: PLC0415

        return LimitedH11
    return LimitedHttpTools


def process_pages(probe: Probe, settings: Settings, *, at_port: bool) -> list[Route]:
    """Returns what stands on PORT, beside the API or alone; or on REFRESHER_STATUS_PORT."""
    inner: dict[str, Page] = {"/health/status": _status(probe), "/metrics": _metrics(probe)}
    token = settings.status_token and settings.status_token.get_secret_value()
    moved = at_port and settings.status_port != 0
    public = at_port and probe.role == "web" and token is None
    for path, page in inner.items():
        if moved or public:
            inner[path] = _elsewhere
        elif token:
            inner[path] = _guarded(page, token)
    return [Route("/health", _health(probe)), *(Route(path, page) for path, page in inner.items())]


def _health(probe: Probe) -> Callable[[Request], object]:
    async def health(_request: Request) -> JSONResponse:
        # On the event loop, for it waits for nothing: threads may all be waiting for Postgres.
        faults = probe.faults()
        return JSONResponse({"ok": not faults, "faults": faults}, 500 if faults else 200)

    return health


def _status(probe: Probe) -> Page:
    def status(_request: Request) -> Response:
        answer = probe.status()
        return JSONResponse(answer, 200 if answer["ok"] else 500)

    return status


def _metrics(probe: Probe) -> Page:
    def metrics(request: Request) -> Response:
        made = probe.scrape(request.headers.get("accept", ""))
        if made is None:
            return PlainTextResponse("REFRESHER_METRICS is false: nothing is counted\n", 404)
        return Response(made[0], media_type=None, headers={"content-type": made[1]})

    return metrics


def _guarded(page: Page, token: str) -> Page:
    """Returns a page that answers to `Authorization: Bearer <token>` alone."""
    wanted = f"Bearer {token}".encode()

    def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, wanted):
            return page(request)
        return PlainTextResponse(
            "Authorization: Bearer and the REFRESHER_STATUS_TOKEN are needed\n",
            401,
            headers={"www-authenticate": "Bearer"},
        )

    return guarded


def _elsewhere(_request: Request) -> Response:
    return PlainTextResponse(ELSEWHERE, 404)
