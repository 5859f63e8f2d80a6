"""A receiver of webhooks for tests: a real HTTP server on loopback, which answers by a script."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The message's webhook-id."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The facts of the event."""
        return dict(json.loads(self.body)["data"])

    @property
    def kind(self) -> str:
        """The kind of the event."""
        return str(json.loads(self.body)["type"])


@dataclass
class Reply:
    """What is answered; `before` runs first (wait for something, say)."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    before: Callable[[], object] = lambda: None


class Receiver:
    """Answers each POST by `answer`, and keeps all that came, in its order."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] = lambda _: Reply()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    @property
    def ids(self) -> list[str]:
        """The webhook-ids that came, in their order, duplicates too."""
        return [received.id for received in self.received]

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, *_arguments: object) -> None:
        """Says nothing: who asked was killed, or has read enough."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Takes a request in and answers it."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # who sent it was killed on the way: nothing has arrived
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, headers, body)
        self.server.receiver.received.append(received)
        reply = self.server.receiver.answer(received)
        reply.before()
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True  # who asked has gone

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""
