"""What came of a consent, told by webhook."""

import json

from refresher.rules.connect import Outcome, Problem, Result, Trouble
from refresher.store import connect_steps
from tests.connect.sessions import make
from tests.notify.webhooks import kit
from tests.notify.webhooks.receiver import Receiver
from tests.world import World

DENIED = Trouble(Problem.DENIED, "access_denied")


def test_consents_are_told_by_webhook(world: World, receiver: Receiver) -> None:
    """Each session that ended without a connection, and the connection of one that did not."""
    kit.add(world, receiver.url, "connect.*", "connection.connected")
    id_ = world.connect()
    with world.services.database.transaction() as db:
        first, second, third = (make(world, organization_id="org") for _ in range(3))
        for session in (first, second):
            connect_steps.end(db, session.id, Outcome.CANCELLED, DENIED)
        told = Result(account_label="ann@acme.example")
        connect_steps.end(db, third.id, Outcome.CONNECTED, connection_id=id_, result=told)
    assert kit.tick(world) == {"delivered": 3}
    bodies = [json.loads(one.body) for one in receiver.received]
    ended = [one["data"] for one in bodies if one["type"] == "connect.ended"]
    assert {one["session_id"] for one in ended} == {str(first.id), str(second.id)}
    assert {one["problem"] for one in ended} == {"denied"}
    (connected,) = (one["data"] for one in bodies if one["type"] == "connection.connected")
    assert (connected["connection_id"], connected["account_label"]) == (
        str(id_),
        "a•••@acme.example",
    )
