"""PostgreSQL 14 to 18: on each, a token is refreshed, a mail and a webhook leave."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.guard import Guard
from tests.notify.mail.kit import Inbox, add, break_connections, post, smtp_server
from tests.notify.webhooks import kit
from tests.notify.webhooks.receiver import Receiver
from tests.ports import LOOPBACK
from tests.postgres_versions import VERSIONS, is_fetched
from tests.services import PostgresServer, migrate
from tests.world import World

OLDEST, *NEWER = VERSIONS


# Ten seconds in all, of which everybody's run takes two: what the oldest takes, the newer ones do.
@pytest.fixture(params=[OLDEST, *(pytest.param(one, marks=pytest.mark.slow) for one in NEWER)])
def server(request: pytest.FixtureRequest, guard: Guard) -> Iterator[PostgresServer]:
    """A server of one major version."""
    if not is_fetched():
        pytest.skip("PostgreSQL 14 to 18 are not there: `make postgres` fetches them")
    made = PostgresServer(guard, str(request.param))
    made.start()
    yield made
    made.close()


def test_refreshes_mails_and_webhooks_work_on_every_version(server: PostgresServer) -> None:
    """From an empty database to a refreshed token, and from a dead grant to who must hear of it."""
    migrate(url := server.create_database("smoke"))
    with smtp_server(Inbox()) as inbox, closing(Receiver()) as receiver:
        settings = {
            "mail_transport": "smtp",
            "mail_smtp_url": f"smtp://{LOOPBACK}:{inbox.port}?starttls=never",
            "mail_from": "Acme connections <no-reply@acme.example>",
        }
        with closing(World(url, **settings)) as world:
            # Given a token that is due
            connection = world.connect("well", expires_in=0)
            # When a tick comes, Then it is new
            world.tick()
            assert world.token(connection) == "access-1"
            # And given an endpoint and a recipient, When another grant is dead
            kit.add(world, receiver.url)
            add(world, "ann@acme.example")
            break_connections(world, "broken")
            # Then both hear of it
            assert post(world) == ["sent"]
            assert kit.tick(world) == {"delivered": 1}
            assert [str(mail["To"]) for mail in inbox.mails] == ["ann@acme.example"]
