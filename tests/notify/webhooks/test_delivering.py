"""Messages go out: signed, in order, again after trouble, and what trouble means for the others."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from refresher.notify import endpoints
from refresher.rules.notices import Kind
from tests.notify.webhooks import kit
from tests.notify.webhooks.receiver import Received, Receiver, Reply
from tests.world import START, World, refused

DAY = timedelta(days=1)
DELIVERED, FAILED, HELD = 3, 4, 2


def test_what_happens_to_a_connection_is_told_signed(world: World, receiver: Receiver) -> None:
    """From a dead grant to the receiver's verified message, with nothing in between left out."""
    # Given an endpoint, at a real time of day: a library verifies the instant, too
    world.set_now(datetime.now(UTC))
    endpoint_id, secret = kit.add(world, receiver.url, "connection.*")
    connection = world.connect(expires_in=0)
    # When the provider ends the grant
    world.script.answer = lambda _: refused("invalid_grant")
    world.tick()
    assert kit.tick(world) == {"delivered": 1}
    # Then the receiver can verify who says what
    (got,) = receiver.received
    read = Webhook(secret.reveal()).verify(got.body, got.headers)
    assert read["type"] == "connection.reconnect_required"
    assert read["data"]["connection_id"] == str(connection)
    assert read["data"]["external_id"] == "c1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "refresher-webhooks"
    event = world.one("select * from outbox")
    assert got.id == str(event.id)
    # And nothing is sent twice
    assert kit.tick(world) == {}
    assert kit.endpoint(world, endpoint_id).delivered_at is not None


def test_each_endpoint_gets_what_it_wants_and_may_know(
    world: World, receiver: Receiver, other: Receiver
) -> None:
    """Filters choose; an organization hears of its own connections, operators of all and of apps."""
    kit.add(world, receiver.url + "/kind", "connection.expiring")
    kit.add(world, receiver.url + "/subject", "connection.*", "connection.recovered")
    kit.add(world, receiver.url + "/foreign", "*", organization="another")
    kit.add(world, other.url + "/operator", "*", organization=None)
    connection = world.connect()
    recovered = kit.happen(world, connection)
    expiring = kit.happen(world, connection, Kind.EXPIRING, days=7)
    kit.tick(world)
    came = {(r.path, r.id) for r in receiver.received}
    assert came == {
        ("/hooks/kind", str(expiring)),
        ("/hooks/subject", str(recovered)),
        ("/hooks/subject", str(expiring)),
    }
    assert len(receiver.received) == 3
    assert other.ids == [str(recovered), str(expiring)]


@pytest.mark.slow
def test_a_receiver_that_is_down_for_a_day_gets_everything_in_order(
    world: World, receiver: Receiver
) -> None:
    """Down for 23 hours: all delivered afterwards, each connection's events in their order."""
    # Given events of six connections, before and while the receiver is down
    kit.add(world, receiver.url)
    connections = [world.connect(f"c{n}") for n in range(6)]
    receiver.answer = lambda _: Reply(503)
    happened: dict[str, list[str]] = {str(c): [] for c in connections}
    for hour in range(23):
        for connection in connections[hour % 3 :: 3]:
            happened[str(connection)].append(str(kit.happen(world, connection)))
        kit.live_until(world, START + timedelta(hours=hour + 1))
    down = len(receiver.received)
    # (It was left alone most of the time: a probe in ten minutes)
    assert 0 < down < 300
    # When it is back
    receiver.received.clear()
    receiver.answer = lambda _: Reply()
    kit.live_until(world, START + DAY)
    # Then everything comes within the hour, once, in the order of each connection
    assert kit.states(world) == {DELIVERED: sum(map(len, happened.values()))}
    came: dict[str, list[str]] = {str(c): [] for c in connections}
    for received in receiver.received:
        came[received.data["connection_id"]].append(received.id)
    assert came == happened


def test_a_later_event_waits_for_the_earlier_one_and_holds_nobody_else(
    world: World, receiver: Receiver
) -> None:
    """While a connection's first message fails its second one waits; others are not held."""
    kit.add(world, receiver.url)
    one, two = world.connect("c1"), world.connect("c2")
    first, second = kit.happen(world, one), kit.happen(world, one)
    others = [kit.happen(world, two) for _ in range(2)]
    receiver.answer = lambda r: Reply(500 if r.id == str(first) else 200)
    kit.live_until(world, START + timedelta(minutes=10))
    assert str(second) not in receiver.ids
    assert [i for i in receiver.ids if i != str(first)] == [str(o) for o in others]
    # Given up after its day, it no longer stands in the way; the endpoint is well all the time
    kit.live_until(world, START + DAY + timedelta(minutes=11))
    assert kit.message(world, first).state == FAILED
    assert kit.message(world, first).reason == "status 500"
    assert receiver.ids.count(str(first)) in {13, 14}  # by its jitter
    assert receiver.ids[-1] == str(second)


def test_nothing_for_a_day_disables_the_endpoint_and_tells_operators(
    world: World, nobody: str, other: Receiver
) -> None:
    """After 24 hours of failure: disabled with a reason, operators alerted, every message held."""
    endpoint_id, _ = kit.add(world, nobody)
    kit.add(world, other.url, "webhook.*", organization=None)
    connection = world.connect()
    for _ in range(3):
        kit.happen(world, connection)
    kit.live_until(world, START + DAY + timedelta(minutes=10))
    view = kit.endpoint(world, endpoint_id)
    assert view.disabled_reason.startswith("nothing came through for 24 hours; the last time: no")
    assert (view.waiting, view.held, view.failed) == (0, 3, 0)
    (alert,) = other.received
    assert alert.kind == "webhook.disabled"
    assert alert.data["webhook_id"] == str(endpoint_id)
    assert alert.data["url"] == nobody
    assert "nothing came through" in alert.data["cause"]
    # What happens meanwhile is held as well
    kit.happen(world, connection)
    kit.tick(world)
    assert kit.endpoint(world, endpoint_id).held == 4


def test_enabling_sends_what_was_held_in_order(world: World, receiver: Receiver) -> None:
    """410 Gone disables at once; enabled again, the endpoint gets all it missed, in order."""
    endpoint_id, _ = kit.add(world, receiver.url)
    connection = world.connect()
    receiver.answer = lambda _: Reply(410)
    happened = [str(kit.happen(world, connection)) for _ in range(4)]
    assert kit.tick(world) == {"held": 1}
    assert kit.endpoint(world, endpoint_id).disabled_reason == "it answered 410 Gone"
    receiver.received.clear()
    receiver.answer = lambda _: Reply()
    kit.live_until(world, START + DAY)
    assert receiver.ids == []
    assert endpoints.enable(world.services.database, endpoint_id, kit.ANN) == 4
    kit.tick(world)
    assert receiver.ids == happened


def test_retry_after_is_honoured_for_the_whole_endpoint(world: World, receiver: Receiver) -> None:
    """A 429 with Retry-After leaves the endpoint alone so long, with all its messages."""
    kit.add(world, receiver.url)
    receiver.answer = lambda _: Reply(429, {"Retry-After": "600"})
    kit.happen(world, world.connect("c1"))
    kit.tick(world)
    kit.happen(world, world.connect("c2"))
    kit.live_until(world, START + timedelta(seconds=599))
    assert len(receiver.received) == 1
    receiver.answer = lambda _: Reply()
    kit.live_until(world, START + timedelta(minutes=12))
    assert kit.states(world) == {DELIVERED: 2}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(302, {"Location": "http://10.0.0.7/admin"}), "it redirects to 10.0.0.7 with status 302"),
        (Reply(500, body=b"x" * 10_000_000), "status 500"),
        (Reply(404), "status 404"),
    ],
)  # fmt: skip
def test_bad_answers_are_told_and_nothing_is_lost(
    world: World, receiver: Receiver, reply: Reply, reason: str
) -> None:
    """A redirect is never followed and 10 MB are never read: a failure in words, tried again."""
    kit.add(world, receiver.url)
    receiver.answer = lambda _: reply
    event = kit.happen(world, world.connect())
    assert kit.tick(world) == {"again": 1}
    stored = kit.message(world, event)
    assert stored.reason.startswith(reason)
    assert stored.http_status == reply.status
    receiver.answer = lambda _: Reply()
    kit.live_until(world, START + timedelta(minutes=1))
    assert kit.message(world, event).state == DELIVERED
    assert set(receiver.ids) == {str(event)}


def test_an_endless_answer_with_200_counts_as_taken(world: World, receiver: Receiver) -> None:
    """2xx is success, however long the body behind it: it is cut off, and that is noted."""
    kit.add(world, receiver.url)
    receiver.answer = lambda _: Reply(200, body=b"x" * 10_000_000)
    event = kit.happen(world, world.connect())
    assert kit.tick(world) == {"delivered": 1}
    assert kit.message(world, event).reason == "its answer was long, and not read to the end"


def test_a_name_that_leads_into_our_network_is_never_asked(
    world: World, receiver: Receiver
) -> None:
    """The address is judged when it is connected to, not only when the endpoint was added."""
    endpoint_id, _ = kit.add(world, receiver.url)
    world.run("update webhook_endpoint set url = 'http://10.0.0.7/hooks'")
    event = kit.happen(world, world.connect())
    assert kit.tick(world) == {"again": 1}
    assert "10.0.0.7 (private)" in kit.message(world, event).reason
    assert kit.endpoint(world, endpoint_id).failing_since == START


def test_an_endpoint_that_hangs_holds_nobody_else(
    world: World, receiver: Receiver, other: Receiver
) -> None:
    """While one endpoint lets eight messages hang, the other's arrive; it never has more of ours."""
    kit.add(world, receiver.url, organization="org")
    kit.add(world, other.url, organization="org")
    release, hanging = threading.Event(), []

    def hang(received: Received) -> Reply:
        hanging.append(received.id)
        return Reply(before=lambda: release.wait(20))

    receiver.answer = hang
    for n in range(20):
        kit.happen(world, world.connect(f"c{n}"))
    thread = threading.Thread(target=kit.deliver, args=(world.services, kit.claim(world)))
    thread.start()
    for _ in range(40):
        if len(other.received) == 20:
            break
        world.pass_time(0.1)
        kit.deliver(world.services, kit.claim(world))
    release.set()
    thread.join()
    assert len(other.received) == 20
    assert len(hanging) == 8
