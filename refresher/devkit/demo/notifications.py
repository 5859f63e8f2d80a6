"""What `refresher demo --with-notifications` adds: one connection that breaks, and what is told of it.

Its refresh token is one that the provider never issued, so the first refresh ends its grant. The mail
is printed by the scheduler's console sender into its log, and shown from there; the webhook comes to a
receiver in the demo's own process, which does what an application's should: it takes the body as it
came, recomputes the signature with its own copy of the secret, and answers 401 to everything else.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from refresher.connections.registration import take
from refresher.devkit.demo.plan import DemoFailed
from refresher.devkit.demo.stage import NAME, Stage
from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.rules import webhooks as rules
from refresher.rules.access import Actor
from refresher.rules.connection import Secret
from refresher.rules.notices import Kind
from refresher.rules.registration import read
from refresher.runtime.services import egress_from
from refresher.store import recipients

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
        self._server = _HookServer(("127.0.0.1", 0), _Handler)
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


class _HookServer(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, *_arguments: object) -> None:
        """Says nothing: the scheduler is stopped or killed half-way, and sends again."""


class _Handler(BaseHTTPRequestHandler):
    server: _HookServer

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


ORGANIZATION = "demo-notifications"
ACCOUNT = "ann-calendar"
RECIPIENT = "ann@example.com"
RECONNECT_URL = "https://app.example/connections/{external_id}/reconnect"
MAIL_LINE = "mail │"
Shown = list[tuple[str, list[str]]]


@contextmanager
def prepared(stage: Stage) -> Iterator[Callable[[], Shown]]:
    """Has one connection break, if the plan says so; yields what returns what was told of it.

    That is a list of headings, each with its lines; no lines where nothing was sent.
    """
    if not stage.plan.with_notifications:
        yield list
        return
    receiver = Receiver()
    try:
        _listen(stage, receiver)
        _break_one(stage)
        yield lambda: _shown(stage, receiver)
    finally:
        receiver.close()


def _listen(stage: Stage, receiver: Receiver) -> None:
    """Stores the receiver as an endpoint; the secret is shown this once, and it keeps that."""
    services = stage.services
    wanted = WantedEndpoint(receiver.url, ["connection.*"], ORGANIZATION, "the demo itself")
    egress = egress_from(services.settings)
    try:
        made = endpoints.add(services.database, services.cipher, egress, wanted, Actor("cli:demo"))
    finally:
        egress.close()
    receiver.secret = made[1]


def _break_one(stage: Stage) -> None:
    """Stores a recipient, a reconnect page, and a connection that the provider will refuse."""
    with stage.services.database.transaction() as db:
        recipients.add(db, ORGANIZATION, RECIPIENT, {})
        recipients.set_organization(
            db, ORGANIZATION, {"name": "Demo", "reconnect_url": RECONNECT_URL}
        )
    broken = {
        "organization_id": ORGANIZATION,
        "provider": NAME,
        "external_id": ACCOUNT,
        "name": "Ann's calendar",
        "access_token": "access token of a grant that ended",
        "refresh_token": "refresh token of a grant that ended",
        "expires_in": stage.plan.lifetime_seconds / 2,
    }
    taken = take(stage.services, [read(broken)])
    if taken.rejected:
        raise DemoFailed(f"the connection that is to break was refused: {taken.rejected[0]}")


def mail_lines(stage: Stage) -> list[str]:
    """Returns the mail as the console sender printed it; nothing when there was none."""
    lines = stage.scheduler.log_text().splitlines()
    return [line.removeprefix(MAIL_LINE)[1:] for line in lines if line.startswith(MAIL_LINE)]


def webhook_lines(receiver: Receiver) -> list[str]:
    """Returns the webhook of the broken connection; nothing when none with our signature came."""
    came = [one for one in receiver.received if one.kind == Kind.RECONNECT_REQUIRED]
    return [*came[0].lines, "", "Its signature was verified by the receiver."] if came else []


def _shown(stage: Stage, receiver: Receiver) -> Shown:
    return [
        ("The mail that was sent when one connection broke", mail_lines(stage)),
        ("The webhook that was sent of it", webhook_lines(receiver)),
    ]
