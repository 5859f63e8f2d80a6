"""The demo's receiver of webhooks: listens on loopback in the demo's own process, and trusts no one.

It does what a receiver of an application should: it takes the body as it came, recomputes the signature
with its own copy of the secret, and answers 401 to everything else.
"""

from __future__ import annotations

import hmac
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from refresher.rules import webhooks as rules
from refresher.rules.connection import Secret

PATH = "/hooks"
LONGEST_BODY = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """One message whose signature was right."""

    message_id: str
    body: bytes

    @property
    def kind(self) -> str:
        """What it tells."""
        return str(json.loads(self.body)["type"])

    @property
    def lines(self) -> list[str]:
        """The message for people."""
        pretty = json.dumps(json.loads(self.body), indent=2, ensure_ascii=False)
        return [f"POST {PATH}", f"webhook-id: {self.message_id}", "", *pretty.splitlines()]


def is_signed(secret: Secret, message_id: str, sent_at: str, body: bytes, signatures: str) -> bool:
    """Whether one of the signatures of a message is that of `secret`."""
    if not sent_at.isascii() or not sent_at.isdigit():
        return False
    made = rules.headers(message_id, int(sent_at), body, [secret])["webhook-signature"]
    return any(hmac.compare_digest(made.encode(), one.encode()) for one in signatures.split())


class Receiver:
    """A server that keeps what is signed with `secret`, each message once, and refuses the rest."""

    def __init__(self) -> None:
        self.secret: Secret | None = None
        self.refused = 0
        self._received: dict[str, Received] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    @property
    def received(self) -> list[Received]:
        """What came, in its order; what came twice stands there once."""
        return list(self._received.values())

    def take(self, message_id: str, sent_at: str, signatures: str, body: bytes) -> bool:
        """Keeps a message whose signature is right; returns whether it is."""
        if self.secret is None or not is_signed(self.secret, message_id, sent_at, body, signatures):
            self.refused += 1
            return False
        self._received.setdefault(message_id, Received(message_id, body))
        return True

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, *_arguments: object) -> None:
        """Says nothing: the scheduler is stopped or killed half-way, and sends again."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Takes a message in and answers it."""
        length = min(int(self.headers.get("Content-Length") or 0), LONGEST_BODY)
        body = self.rfile.read(length)
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        message_id, sent_at, signatures = (self.headers.get(name, "") for name in names)
        is_ours = self.server.receiver.take(message_id, sent_at, signatures, body)
        self.send_response(204 if is_ours else 401)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing: what came is shown at the end."""
