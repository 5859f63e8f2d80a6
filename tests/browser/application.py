"""The application that a person comes from and returns to: pages of another site than ours.

It answers at `localhost`, while refresher is at 127.0.0.1: browsers take that for two sites, as they do
with a product and the service that it uses. It remembers how people came back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOME = "<!doctype html><title>Acme</title><h1>Acme</h1>"


class Application:
    """One that listens: `url` is where people return to, `pages` are what else it shows, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.returned: list[dict[str, str]] = []
        self.referers: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.home = f"http://localhost:{self._server.server_port}"
        self.url = f"{self.home}/settings"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def show(self, html: str, path: str = "/shown") -> str:
        """Shows a page of this body; returns its URL."""
        self.pages[path] = f"<!doctype html><title>Elsewhere</title>{html}"
        return self.home + path

    def visited(self, target: str, headers: Mapping[str, str]) -> str:
        """Notes a visit, and returns the page."""
        parts = urlsplit(target)
        if parts.path == "/settings":
            self.returned.append(dict(parse_qsl(parts.query)))
            self.referers.append(headers.get("Referer", ""))
        return self.pages.get(parts.path, HOME)

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running() -> Iterator[Application]:
    """Runs one within the block."""
    application = Application()
    try:
        yield application
    finally:
        application.close()


def _handler(application: Application) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = application.visited(self.path, dict(self.headers.items())).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler
