"""A small server of ours that answers as Nango's and Composio's APIs do, by their published types.

It is neither of them: `test_types.py` checks its answers against the types that they publish on npm.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "their-api-key"
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Theirs:
    """What the server has, and what it does instead: answers by path, each given once."""

    nango: list[dict[str, Any]] = field(default_factory=list)
    composio: list[dict[str, Any]] = field(default_factory=list)
    instead: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, query: dict[str, str], key: str | None) -> Answer:
        """Returns what a request gets."""
        if self.instead.get(path):
            return self.instead[path].pop(0)
        if key != KEY:
            return _json(401, {"error": {"code": "unknown_user_account", "message": "no"}})
        if path == "/connections":
            start, limit = int(query["page"]) * int(query["limit"]), int(query["limit"])
            return _json(200, {"connections": [_listed(o) for o in self.nango][start:][:limit]})
        if path.startswith("/connection/"):
            return self._one(unquote(path.removeprefix("/connection/")), query)
        assert path == "/api/v3.1/connected_accounts"
        return self._page(int(query.get("cursor", "0")), int(query["limit"]))

    def _one(self, connection_id: str, query: dict[str, str]) -> Answer:
        key = query["provider_config_key"]
        for one in self.nango:
            if (one["connection_id"], one["provider_config_key"]) == (connection_id, key):
                held = dict(one["credentials"])
                if query.get("refresh_token") != "true":
                    held.pop("refresh_token", None)
                return _json(200, {**one, "credentials": held})
        return _json(404, {"error": {"code": "not_found", "message": "no such connection"}})

    def _page(self, start: int, limit: int) -> Answer:
        end = start + limit
        following = str(end) if end < len(self.composio) else None
        page = {
            "items": self.composio[start:end],
            "next_cursor": following,
            "total_pages": -(-len(self.composio) // limit),
            "current_page": start // limit + 1,
            "total_items": len(self.composio),
        }
        return _json(200, page)


def _listed(one: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "connection_id", "provider_config_key", "provider", "end_user", "tags")
    more = {"metadata": one["metadata"], "errors": [], "created": one["created_at"]}
    return {**{name: one[name] for name in names}, **more}


def _json(status: int, value: object) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()


@contextmanager
def serving(theirs: Theirs) -> Iterator[Theirs]:
    """Serves on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            theirs.asked.append(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            bearer = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            status, headers, body = theirs.answer(
                parts.path, query, self.headers.get("x-api-key") or bearer
            )
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    theirs.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield theirs
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def nango_connection(connection_id: str, **credentials: Any) -> dict[str, Any]:
    """Returns a connection as Nango's API gives it, whole (`ApiPublicConnectionFull`)."""
    return {
        "id": 1,
        "connection_id": connection_id,
        "provider_config_key": "acme-key",
        "provider": "acme",
        "errors": [],
        "end_user": {
            "id": "u1",
            "display_name": None,
            "email": None,
            "tags": None,
            "organization": {"id": "org", "display_name": None},
        },
        "tags": {},
        "metadata": None,
        "connection_config": {},
        "webhook_url_override": None,
        "created_at": "2026-01-01T00:00:00.000+00:00",
        "updated_at": "2026-01-01T00:00:00.000+00:00",
        "last_fetched_at": None,
        "credentials": {
            "type": "OAUTH2",
            "access_token": f"access-of-{connection_id}",
            "refresh_token": f"refresh-of-{connection_id}",
            "expires_at": "2099-01-01T00:00:00.000Z",
            "raw": {"token_type": "bearer"},
            **credentials,
        },
    }


def composio_account(account_id: str, **val: Any) -> dict[str, Any]:
    """Returns a connected account as Composio's API lists it."""
    held = {"access_token": f"a-{account_id}", "refresh_token": f"r-{account_id}", **val}
    return {
        "toolkit": {"slug": "acme"},
        "auth_config": {
            "id": "ac_1",
            "auth_scheme": "OAUTH2",
            "is_composio_managed": False,
            "is_disabled": False,
        },
        "id": account_id,
        "word_id": None,
        "alias": None,
        "user_id": "u1",
        "status": "ACTIVE",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "state": {"authScheme": "OAUTH2", "val": {"status": "ACTIVE", **held}},
        "data": {},
        "status_reason": None,
        "is_disabled": False,
        "test_request_endpoint": "",
    }
