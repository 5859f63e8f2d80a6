"""An authorization server's metadata on a real loopback socket, as a test wants it to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

OAUTH, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"


class Issuer:
    """What it answers at which path, and what it was asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        """What each answer has besides."""
        self.asked: list[str] = []
        self.told: list[dict[str, str]] = []
        """The headers of each request, names in lower case."""
        self.tell()

    def tell(self, place: str = OAUTH, **fields: Any) -> None:
        """Has it say so at a place; a field that is None is left out."""
        given = {
            "issuer": self.url,
            "token_endpoint": f"{self.url}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            **fields,
        }
        body = json.dumps({n: v for n, v in given.items() if v is not None})
        self.pages = {place: (200, body.encode())}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Runs one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            issuer.told.append({name.lower(): value for name, value in self.headers.items()})
            status, body = issuer.pages.get(self.path, (404, b"{}"))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
                body = b""
            for name, value in issuer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(server.server_port)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
