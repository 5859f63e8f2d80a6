"""Serves `GET /health`, `GET /health/status` and `GET /metrics` on PORT, from a thread of each process.

`/health` answers 500 when a restart may help: this process's own ticks have stopped, or it cannot
register. Postgres or Redis being away is no reason to restart us, and is told in `/health/status`.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import dramatiq
import structlog

from refresher import __version__
from refresher.errors import RefresherError
from refresher.metrics.sources import QueueSeen
from refresher.settings import Flow, Settings
from refresher.store import health
from refresher.wiring import Services

if TYPE_CHECKING:  # loaded by who serves: a process without PORT starts sooner
    import uvicorn
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger()


class Probe:
    """Knows how this process is. `registered` is set once its heartbeat runs."""

    def __init__(self, role: str, services: Services, broker: dramatiq.Broker | None) -> None:
        self.role = role
        self.idle = False
        self.registered: Callable[[], bool] | None = None
        self._services = services
        self._broker = broker
        self._started_at = time.monotonic()
        self._ticked_at: float | None = None

    def ticked(self) -> None:
        """Notes a finished tick."""
        self._ticked_at = time.monotonic()

    @property
    def tick_age_seconds(self) -> float | None:
        """Seconds since the last finished tick (or the start), None where nothing ticks."""
        if self.role != "scheduler" or self.idle:
            return None
        return time.monotonic() - (self._ticked_at or self._started_at)

    def faults(self) -> list[str]:
        """Returns why this process should be restarted; nothing when it is well."""
        limit = max(30.0, self._services.settings.tick_seconds * 10)
        age = self.tick_age_seconds
        if age is not None and age > limit and self._database()["ok"]:
            return [f"no tick for {age:.0f} s although the database answers"]
        return []

    def status(self) -> dict[str, object]:
        """Returns everything worth knowing, as plain values without a secret."""
        return {
            "role": self.role,
            "version": __version__,
            "ok": not (faults := self.faults()),
            "faults": faults,
            "uptime_seconds": round(time.monotonic() - self._started_at, 1),
            "tick_age_seconds": self.tick_age_seconds and round(self.tick_age_seconds, 3),
            "registered": self.registered() if self.registered else False,
            "database": self._database(),
            "queue": self._queue(),
            "notifications": self._notifications(),
        }

    def queue_seen(self) -> QueueSeen:
        """Returns what waits in the queue; raises `RedisUnavailable`."""
        from refresher.broker import (  # noqa: PLC0415  this module stands below it
            queue_age_seconds,
            queue_depth,
        )

        name = self._services.settings.integration_refresh.queue
        if self._broker is None:
            return QueueSeen(0, 0.0)
        return QueueSeen(queue_depth(self._broker, name), queue_age_seconds(self._broker, name))

    def scrape(self, accept: str) -> tuple[bytes, str] | None:
        """Returns the metrics of this process, None when they are turned off."""
        return self._services.meter.scrape(accept)

    def _database(self) -> dict[str, object]:
        try:
            with self._services.database.transaction() as db:
                return {"ok": True, **asdict(health.look(db))}
        except RefresherError as error:
            return {"ok": False, "error": str(error)}

    def _queue(self) -> dict[str, object]:
        return _depth(self._services.settings.integration_refresh, self._broker)

    def _notifications(self) -> dict[str, object]:
        """Returns how the flows stand that tell people; counts are absent while Postgres is away."""
        told = self._told()
        mail: dramatiq.Broker | None = None
        webhook: dramatiq.Broker | None = None
        if self._broker is not None:
            from refresher import broker  # noqa: PLC0415  this module stands below it

            mail, webhook = broker.mail_broker, broker.webhook_broker
        settings = self._services.settings
        flows = (
            ("notification_email", settings.notification_email, mail),
            ("webhook_delivery", settings.webhook_delivery, webhook),
        )
        return {
            name: {"enabled": flow.enabled, **_depth(flow, its), **told.get(name, {})}
            for name, flow, its in flows
        }

    def _told(self) -> dict[str, dict[str, object]]:
        try:
            with self._services.database.transaction() as db:
                return {
                    "notification_email": asdict(health.mails(db)),
                    "webhook_delivery": asdict(health.webhooks(db)),
                }
        except RefresherError:
            return {}  # `database` says why


def _depth(flow: Flow, broker: dramatiq.Broker | None) -> dict[str, object]:
    """Returns where a flow's messages go, and how many wait there."""
    base: dict[str, object] = {"transport": flow.transport, "name": flow.queue}
    if broker is None:
        return base
    from refresher.broker import queue_depth  # noqa: PLC0415  this module stands below it

    try:
        return {**base, "ok": True, "depth": queue_depth(broker, flow.queue)}
    except RefresherError as error:
        return {**base, "ok": False, "error": str(error)}


class Api(Protocol):
    """An application that is served in place of the health pages alone, and has them, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""

    def close(self) -> None:
        """Lets what is under way end."""


class HealthServer:
    """Uvicorn on a thread. PORT 0 turns it off.

    `api` is served with the health pages; `listening` is a socket that another process opened.
    """

    def __init__(
        self,
        probe: Probe,
        settings: Settings,
        api: Api | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        self._probe = probe
        self._settings = settings
        self._api = api
        self._listening = listening
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts serving, unless another process of this machine holds the port already."""
        if self._settings.port == 0:
            return
        taken = self._listening or listen(self._settings.health_host, self._settings.port)
        if taken is None:
            # Dramatiq starts several processes beside each other: the first one speaks for all.
            log.warning(
                "PORT is in use; health is served by another process", port=self._settings.port
            )
            return
        import uvicorn  # noqa: PLC0415
        from starlette.applications import Starlette  # noqa: PLC0415

        app: ASGIApp = self._api or Starlette(routes=routes(self._probe))
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(self._patience_seconds),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [taken]}, name="health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stops serving; requests that are under way get their answers first."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=self._patience_seconds + 1)
        if self._api is not None:
            self._api.close()

    @property
    def _patience_seconds(self) -> float:
        return self._settings.shutdown_seconds if self._api is not None else 4.0


def routes(probe: Probe) -> list[Route]:
    """Returns the routes of health and metrics, for this server and for the web process."""
    from starlette.responses import JSONResponse, PlainTextResponse, Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    def healthy(_request: Request) -> JSONResponse:
        faults = probe.faults()
        return JSONResponse({"ok": not faults, "faults": faults}, 500 if faults else 200)

    def status(_request: Request) -> JSONResponse:
        answer = probe.status()
        return JSONResponse(answer, 200 if answer["ok"] else 500)

    def metrics(request: Request) -> Response:
        made = probe.scrape(request.headers.get("accept", ""))
        if made is None:
            return PlainTextResponse("REFRESHER_METRICS is false: nothing is counted\n", 404)
        return Response(made[0], media_type=None, headers={"content-type": made[1]})

    return [
        Route("/health", healthy),
        Route("/health/status", status),
        Route("/metrics", metrics),
    ]


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket | None:
    """Returns a socket that listens there, None where another process does.

    `shared`: several of them may, and the kernel spreads the connections (Linux).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        return None
    made.listen(512)
    return made
