"""Uvicorn on a thread, with the limits of `limits.py` on every connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from refresher.runtime.serving import limits
from refresher.runtime.serving.limits import Crowd

if TYPE_CHECKING:
    from starlette.types import ASGIApp


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
