"""Authorization and resource servers' metadata on a real loopback socket, as a test wants it to be.

Any path refuses whoever has no token, as `challenge` says; `/register` makes clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

RESOURCE = "/.well-known/oauth-protected-resource"
OAUTH, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"


def _json(given: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps({n: v for n, v in given.items() if v is not None}).encode()


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
        self.challenge: str | None = None
        """What the refusal says; None: it says nothing."""
        self.registered: list[dict[str, Any]] = []
        """What clients told of themselves."""
        self.client: dict[str, Any] = {"client_id": "c-1", "client_secret": "s-1"}
        """What they are answered, and with which status."""
        self.client_status = 201
        self.tell()

    def tell(self, place: str = OAUTH, **fields: Any) -> None:
        """Has it say so at a place; a field that is None is left out."""
        given = {
            "issuer": self.url,
            "token_endpoint": f"{self.url}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            **fields,
        }
        self.pages = {place: _json(given)}

    def tell_more(self, **fields: Any) -> None:
        """Has it say what a consent by discovery needs, and more; tells a server's metadata, too."""
        whole = {
            "authorization_endpoint": f"{self.url}/authorize",
            "registration_endpoint": f"{self.url}/register",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
        self.tell(**{**whole, **fields})

    def serve(self, path: str = "/mcp", at: str | None = None, **fields: Any) -> str:
        """Has it be a resource server at a path, too, and returns its URL; `at`: where that is told."""
        given = {
            "resource": self.url + path,
            "authorization_servers": [self.url],
            "scopes_supported": ["read", "write"],
            **fields,
        }
        self.pages[at or RESOURCE + path] = _json(given)
        return self.url + path


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._note()
            status, body = issuer.pages.get(self.path, (404, b"{}"))
            headers = dict(issuer.headers)
            if 300 <= status < 400:
                headers["Location"], body = body.decode(), b""
            self._answer(status, headers, body)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._note()
            if self.path == "/register":
                issuer.registered.append(body)
                self._answer(issuer.client_status, {}, json.dumps(issuer.client).encode())
            else:
                told = {} if issuer.challenge is None else {"WWW-Authenticate": issuer.challenge}
                self._answer(401, told, b"{}")

        def _note(self) -> None:
            issuer.asked.append(self.path)
            issuer.told.append({name.lower(): value for name, value in self.headers.items()})

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Runs one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    issuer = Issuer(server.server_port)
    server.RequestHandlerClass = _handler(issuer)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
