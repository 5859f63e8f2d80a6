"""What `refresher demo --with-notifications` adds: one connection that breaks, and what is told of it.

Its refresh token is one that the provider never issued, so the first refresh ends its grant. The mail
is printed by the scheduler's console sender into its log, and shown from there; the webhook comes to a
receiver in the demo's own process, which verifies its signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from refresher.connections.registration import take
from refresher.devkit.demo.plan import DemoFailed
from refresher.devkit.demo.provider import NAME
from refresher.devkit.demo.receiver import Receiver
from refresher.devkit.demo.stage import Stage
from refresher.notify import endpoints
from refresher.notify.endpoints import Wanted
from refresher.rules.access import Actor
from refresher.rules.notices import Kind
from refresher.rules.registration import read
from refresher.runtime.services import egress_from
from refresher.store import recipients

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
    wanted = Wanted(receiver.url, ["connection.*"], ORGANIZATION, "the demo itself")
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
