"""What `refresher demo --with-notifications` adds: one connection that breaks, and what is told of it.

Its refresh token is one that the provider never issued, so the first refresh ends its grant. The mail
is printed by the scheduler's console sender into its log, and shown from there.
"""

from __future__ import annotations

from refresher.demo.plan import DemoFailed
from refresher.demo.provider import NAME
from refresher.demo.stage import Stage
from refresher.intake import take
from refresher.rules.intake import read
from refresher.store import recipients

ORGANIZATION = "demo-notifications"
ACCOUNT = "ann-calendar"
RECIPIENT = "ann@example.com"
RECONNECT_URL = "https://app.example/connections/{external_id}/reconnect"
MAIL_LINE = "mail │"


def prepare(stage: Stage) -> None:
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


def shown(stage: Stage) -> list[tuple[str, list[str]]]:
    """Returns what was told of the broken connection, each with its heading."""
    return [
        ("The mail that was sent when one connection broke", mail_lines(stage)),
        # The webhook of the same entry of the outbox belongs here.
    ]
