"""A signing secret is found nowhere but sealed; keys rotate; what no key opens is told."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from refresher.client import UnverifiedWebhook, verify_webhook
from refresher.errors import CannotDecrypt
from refresher.notify import endpoints
from refresher.rules import webhooks as rules
from refresher.rules.notices import Kind
from refresher.runtime.cipher import Cipher, new_key, parse_key
from refresher.store import webhooks as stored
from tests.notify.webhooks import kit
from tests.notify.webhooks.receiver import Receiver, Reply
from tests.world import START, World

PAGE = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"


def test_a_signing_secret_stands_nowhere_in_the_clear(
    world: World, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in a table, a log, an error, a message or what leaves; nor does another column open it."""
    endpoint_id, secret = kit.add(world, receiver.url)
    services = world.services
    new, _ = endpoints.rotate_secret(
        services.database, services.cipher, endpoint_id, kit.ANN, overlap_seconds=60
    )
    receiver.answer = lambda _: Reply(500)
    kit.happen(world, world.connect())
    claims = kit.claim(world)
    kit.live_until(world, START + kit.STEP)
    held = repr(claims) + "".join(capsys.readouterr())
    held += "".join(f"{r.headers} {r.body!r}" for r in receiver.received)
    for table in ("webhook_endpoint", "webhook_delivery", "outbox", "refresh_event"):
        held += "".join(
            row.line for row in world.rows(f"select {table}::text as line from {table}")
        )
    assert str(endpoint_id) in held, "the search looked at something"
    for text_ in (secret.reveal(), new.reveal()):
        assert text_.removeprefix("whsec_") not in held
    # Moved to another endpoint or column, it does not open
    with services.database.transaction() as db:
        sealed = stored.secret(db, endpoint_id)
    assert sealed is not None
    assert services.cipher.open(sealed, endpoint_id, stored.SECRET) == new
    for column in (stored.PREVIOUS_SECRET, "secret", "access_token"):
        with pytest.raises(CannotDecrypt):
            services.cipher.open(sealed, endpoint_id, column)


def test_a_secret_that_no_key_opens_holds_only_its_own_messages(
    world: World, receiver: Receiver, other: Receiver
) -> None:
    """Another key: that endpoint's messages fail with a sentence; the others' arrive."""
    kit.add(world, receiver.url)
    world.services = replace(world.services, cipher=Cipher([parse_key(new_key())]))
    kit.add(world, other.url)
    event = kit.happen(world, world.connect("c2", access_token="new", refresh_token="new"))
    assert kit.tick(world) == {"again": 1, "delivered": 1}
    assert (receiver.ids, other.ids) == ([], [str(event)])
    reasons = {row.reason for row in world.rows("select reason from webhook_delivery")} - {None}
    assert all("not sent: webhook_secret of" in reason for reason in reasons)
    assert all("REFRESHER_ENCRYPTION_KEYS" in reason for reason in reasons)


def test_the_page_s_own_few_lines_verify(world: World, receiver: Receiver) -> None:
    """What the documentation tells receivers to write takes our messages."""
    world.services.database.simulated_now = None
    _, secret = kit.add(world, receiver.url)
    kit.happen(world, world.connect())
    kit.tick(world)
    ways = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(ways) == 2
    for code in ways:
        names: dict[str, object] = {}
        exec(code.replace("whsec_…", secret.reveal()), names)
        receive = names["receive"]
        assert callable(receive)
        receive(receiver.received[0].body, receiver.received[0].headers)


def test_the_sdk_reads_what_is_sent_while_a_secret_changes(
    world: World, receiver: Receiver
) -> None:
    """Old and new secret verify the same message; it tells whose connection it is about."""
    world.services.database.simulated_now = None
    endpoint_id, old = kit.add(world, receiver.url)
    services = world.services
    new, _ = endpoints.rotate_secret(
        services.database, services.cipher, endpoint_id, kit.ANN, overlap_seconds=60
    )
    made = world.connect()
    event_id = kit.happen(world, made)
    kit.tick(world)
    came = receiver.received[0]
    for secret in (old, new):
        event = verify_webhook(came.body, came.headers, secret)
        assert (event.id, event.type) == (str(event_id), "connection.recovered")
        assert (event.connection_id, event.organization_id) == (made, "org")
        assert event.external_id is not None
    with pytest.raises(UnverifiedWebhook):
        verify_webhook(came.body, came.headers, rules.make_secret(b"x" * 32))


def test_filters_mean_the_same_in_the_database_as_in_the_rule(
    world: World, receiver: Receiver
) -> None:
    """The statement that plans messages chooses as `rules.webhooks.wants` does."""
    filters = ["*", "connection.*", "app.*", *endpoints.KINDS]
    for chosen in filters:
        kit.add(world, receiver.url + "/" + chosen, chosen)
    connection = world.connect()
    for kind in Kind:
        if kind.startswith("connection."):
            kit.happen(world, connection, kind)
    kit.claim(world)
    planned = world.rows(
        "select o.kind, e.events[1] as chosen from webhook_delivery d "
        "join outbox o on o.id = d.event_id join webhook_endpoint e on e.id = d.endpoint_id"
    )
    wanted = {
        (kind.value, chosen)
        for kind in Kind
        for chosen in filters
        if kind.startswith("connection.") and rules.wants([chosen], kind.value)
    }
    assert {(row.kind, row.chosen) for row in planned} == wanted
