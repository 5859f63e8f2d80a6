"""People who connect, in a test: the pages of a consent, served for real, and a browser."""

from __future__ import annotations

import socket
from itertools import count
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

from refresher.devkit.browser import Browser
from refresher.web.connect.app import ConnectPages

if TYPE_CHECKING:
    from refresher.runtime.services import Services

PUBLIC_URL = "https://connect.test"
"""Where a sandbox's pages are for browsers; a proxy of theirs leads to this machine."""


class Served:
    """The pages of these services, on a free port of this machine until it is left."""

    def __init__(self, services: Services) -> None:
        self._numbers = count()
        self._pages = ConnectPages(services)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._pages,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the pages read them themselves
        )
        self._server = uvicorn.Server(config)
        sockets = {"sockets": [self._socket]}
        self._thread = Thread(target=self._server.run, kwargs=sockets, daemon=True)
        self._thread.start()

    def browser(self, public_url: str) -> Browser:
        """Returns a browser for which they are at `public_url`; each is at an address of its own."""
        address = f"203.0.113.{next(self._numbers) % 254 + 1}"
        return Browser({public_url: self.url}, address=address, pace=0.5)

    def close(self) -> None:
        """Ends them, when what they have begun has ended."""
        self._server.should_exit = True
        self._thread.join()
        self._pages.close()
        self._socket.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes."""
        self.close()
