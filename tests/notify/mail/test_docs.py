"""docs/notifications.md: every event is in it, with an example that is what the outbox really holds."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from refresher.notify import watch
from refresher.rules.connect import Outcome, Problem, Result, Trouble
from refresher.rules.notices import Kind
from refresher.rules.outcomes import Reply as Answer
from refresher.rules.providers import Provider
from refresher.settings import Settings, variable
from refresher.settings.names import flows
from refresher.store import connect_steps
from tests.connect.sessions import make
from tests.notify.mail.kit import break_connections, heal, outage
from tests.notify.webhooks import kit as hooks
from tests.notify.webhooks.receiver import Receiver, Reply
from tests.world import World, granted

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "notifications.md").read_text()


def example(kind: str) -> dict[str, object]:
    """Returns the example payload of one event."""
    found = re.search(rf"^`{re.escape(kind)}`:.*?```json\n(.*?)```", DOCS, re.DOTALL | re.MULTILINE)
    assert found, f"{kind} has no example"
    made: dict[str, object] = json.loads(found[1])
    return made


@pytest.fixture
def gone() -> Iterator[str]:
    """The URL of a receiver that wants nothing any more."""
    receiver = Receiver()
    receiver.answer = lambda _: Reply(410)
    yield receiver.url
    receiver.close()


def live_through_everything(world: World, gone: str) -> None:
    """Has each kind of notice written once at least."""
    fixed = Provider("acme", "https://acme.example/token", refresh_token_clock="fixed")
    once = replace(fixed, retry="never")
    object.__setattr__(world.services.catalogue, "_providers", {"acme": once})
    world.connect("lost", expires_in=0, name="n")
    world.script.answer = lambda _: Answer(failure="timeout")
    world.tick()
    object.__setattr__(world.services.catalogue, "_providers", {"acme": fixed})
    world.connect("unread", expires_in=0, name="n")
    world.script.answer = lambda _: granted(accessToken="a")
    world.tick()
    world.connect("late", expires_in=1, name="n")
    outage(world)
    world.pass_time(10)
    world.tick()
    watch.tell(world.services)
    break_connections(world, "dead", name="n")
    heal(world)
    world.connect("dead", name="n", refresh_token_expires_in=40 * 86_400)
    break_connections(world, "app", "app2", code="invalid_client")
    heal(world)
    for _ in range(3):
        world.pass_time(200)
        world.tick()
    world.pass_time(34 * 86_400)
    watch.tell(world.services)
    hooks.add(world, gone)
    hooks.happen(world, world.connect("told", name="n"), was="reconnect_required")
    hooks.tick(world)
    come_to_their_ends(world)


def come_to_their_ends(world: World) -> None:
    """Has a connect session fail, one succeed, and one with another account."""
    id_ = world.connect("consented", name="n")
    denied = Trouble(Problem.DENIED, "access_denied")
    told = Result(account_label="ann@acme.example")
    with world.services.database.transaction() as db:
        failed = make(world, id_, external_id="consented")
        connect_steps.end(db, failed.id, Outcome.CANCELLED, denied)
        for result in (told, replace(told, account_changed=True)):
            done = make(world, id_)
            connect_steps.end(db, done.id, Outcome.CONNECTED, connection_id=id_, result=result)


def test_every_event_has_an_example_that_is_true(world: World, gone: str) -> None:
    """Each kind has an example with exactly the fields, of the types, that the outbox holds."""
    live_through_everything(world, gone)
    rows = world.rows("select kind, payload from outbox")
    real = {row.kind: {name: type(v) for name, v in row.payload.items()} for row in rows}
    shown = {kind.value: {n: type(v) for n, v in example(kind).items()} for kind in Kind}
    assert shown == real


def test_every_event_stands_in_the_table() -> None:
    """The page's table of events names each kind, and no other."""
    assert set(re.findall(r"^\| `(\w+\.\w+)` \|", DOCS, re.MULTILINE)) == set(Kind)


def test_every_setting_in_the_docs_exists() -> None:
    """A variable in the table is one that is read, with the default that stands beside it."""
    fields = set(Settings.model_fields)
    known = {variable(name) for name in fields}
    known |= {
        variable(f"{flow}.{part}")
        for flow in flows(Settings.model_fields)
        for part in ("transport", "queue", "enabled")
    }
    named = set(re.findall(r"`(REFRESHER_[A-Z_]+)`", DOCS))
    assert named
    assert named - known == set()
