"""An SMTP server, and a world whose mails go there."""

from collections.abc import Iterator

import pytest

from tests.notify.mail.kit import Inbox, smtp_server
from tests.ports import LOOPBACK
from tests.world import World


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A running SMTP server that takes everything."""
    with smtp_server(Inbox()) as running:
        yield running


@pytest.fixture
def mailing_world(database_url: str, inbox: Inbox) -> Iterator[World]:
    """Real services whose mails go to the inbox, without spacing."""
    made = World(
        database_url,
        mail_transport="smtp",
        mail_smtp_url=f"smtp://{LOOPBACK}:{inbox.port}?starttls=never",
        mail_from="Acme connections <no-reply@acme.example>",
        mail_spacing_seconds=0,
        reconnect_url="https://app.example/connections/{external_id}/reconnect",
    )
    yield made
    made.close()
