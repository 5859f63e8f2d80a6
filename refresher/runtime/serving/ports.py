"""The ports of one process: PORT, with the health page or the API too, and REFRESHER_STATUS_PORT."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import structlog

from refresher.runtime.health import Probe
from refresher.runtime.serving.sockets import Turn, listen, listen_for_all
from refresher.settings import Settings

if TYPE_CHECKING:  # loaded by who serves: a process without PORT starts sooner
    from starlette.types import ASGIApp, Receive, Scope, Send

    from refresher.runtime.serving.server import Serving

log = structlog.get_logger()
HEALTH_PATIENCE_SECONDS = 4.0
RESERVED_FILES = 48
"""Descriptors kept for what is not counted by a setting: logs, Redis, the event loops."""


class Application(Protocol):
    """An application that is served in place of the health pages alone, and has them, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""

    def close(self) -> None:
        """Lets what is under way end."""


class Ports:
    """What this process answers on. 0 turns a port off.

    `api` is served with the health pages; `listening` are sockets that another process opened, so that
    this one has siblings. A worker has them anyway: Dramatiq starts several with one environment.
    """

    def __init__(
        self,
        probe: Probe,
        settings: Settings,
        api: Application | None = None,
        listening: Sequence[socket.socket] = (),
    ) -> None:
        self._probe = probe
        self._settings = settings
        self._api = api
        self._listening = listening
        self._turns: list[Turn] = []
        self._serving: list[Serving] = []

    def start(self) -> None:
        """Starts serving; raises `CannotListen` where this process must answer and cannot."""
        settings = self._settings
        if settings.port != 0:
            sockets = self._listening or self._open("PORT", settings.port)
            if sockets:
                self._serve(self._api or self._pages(at_port=True), sockets)
        if settings.status_port != 0 and (
            sockets := self._open("REFRESHER_STATUS_PORT", settings.status_port)
        ):
            self._serve(self._pages(at_port=False), sockets)

    def stop(self) -> None:
        """Stops serving; requests that are under way get their answers first."""
        for serving in self._serving:
            serving.stop()
        for turn in self._turns:
            turn.end()
        if self._api is not None:
            self._api.close()

    def _open(self, setting: str, port: int) -> Sequence[socket.socket]:
        """Returns sockets that listen on a port; none where a sibling answers for us."""
        host = self._settings.host
        if self._probe.role != "worker" and not self._listening:
            return listen(host, port, setting=setting)
        turn = listen_for_all(host, port, setting=setting)
        if turn is None:
            log.info("another process of this command answers there", setting=setting, port=port)
            return ()
        self._turns.append(turn)
        return turn.sockets

    def _serve(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
        from refresher.runtime.serving.limits import connections_for  # noqa: PLC0415
        from refresher.runtime.serving.server import Serving  # noqa: PLC0415

        patience = HEALTH_PATIENCE_SECONDS
        if app is self._api:
            patience = self._settings.shutdown_seconds
        most = connections_for(self._settings.database_pool_size + RESERVED_FILES)
        self._serving.append(Serving(app, sockets, most=most, patience_seconds=math.ceil(patience)))

    def _pages(self, *, at_port: bool) -> ASGIApp:
        from starlette.applications import Starlette  # noqa: PLC0415

        from refresher.runtime.serving.server import process_pages  # noqa: PLC0415

        return Starlette(routes=process_pages(self._probe, self._settings, at_port=at_port))
