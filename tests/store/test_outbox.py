"""The outbox and its consumers: each reads everything once, in order, at its own pace."""

from collections import Counter
from uuid import uuid4

import pytest

from refresher.connections import registration
from refresher.notify import watch
from refresher.rules.registration import read
from refresher.store import outbox
from tests.store.news import answer, kinds, told
from tests.world import World, refused


def take_and_fail(world: World) -> None:
    """Reads as a consumer does whose own writing fails."""
    with world.services.database.transaction() as db:
        assert len(outbox.take(db, "webhook", limit=5)) == 1
        raise RuntimeError


def test_each_consumer_reads_everything_once(world: World) -> None:
    """Mail and webhooks read at their own pace; a reader that fails has read nothing."""
    world.connect(expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    assert len(told(world, "mail")) == 1
    assert told(world, "mail") == []
    with pytest.raises(RuntimeError):
        take_and_fail(world)
    with world.services.database.transaction() as db:
        (entry,) = outbox.take(db, "webhook", limit=5)
        assert outbox.find(db, [entry.id, uuid4()]) == [entry]


def test_two_readers_share_the_work(world: World) -> None:
    """What one reader holds, another passes over."""
    for n in range(4):
        world.connect(f"c{n}", expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    database = world.services.database
    with database.transaction() as one, database.transaction() as two:
        first, second = (outbox.take(db, "mail", limit=3) for db in (one, two))
    assert (len(first), len(second)) == (3, 1)
    assert not {e.id for e in first} & {e.id for e in second}


def test_what_everybody_has_read_is_forgotten_in_the_end(world: World) -> None:
    """After ninety days an entry goes, unless a consumer has not read it."""
    for n in range(2):
        world.connect(f"c{n}", expires_in=0)
    answer(world, refused("invalid_grant"))
    world.tick()
    told(world, "mail")
    with world.services.database.transaction() as db:
        outbox.take(db, "webhook", limit=1)
    world.pass_time(91 * 86_400)
    watch.forget_old(world.services)
    assert len(kinds(world)) == 1


def test_a_chunk_of_reconnects_is_told_in_one_go(world: World) -> None:
    """A thousand connections that are imported again are told of with one statement each step."""
    fields = {"organization_id": "org", "provider": "acme", "refresh_token": "r", "expires_in": 0}
    chunk = [read({**fields, "external_id": f"c{n}"}) for n in range(300)]
    assert registration.take(world.services, chunk).created == 300
    answer(world, refused("invalid_grant"))
    world.tick()
    assert registration.take(world.services, chunk).reconnected == 300
    assert Counter(kinds(world)) == {
        "connection.reconnect_required": 300,
        "connection.recovered": 300,
    }
    assert {e.sequence for e in told(world)} == {1, 2}
