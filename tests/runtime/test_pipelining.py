"""Many messages in one trip to Redis."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import dramatiq
import pytest
import redis

from refresher.errors import RedisUnavailable
from refresher.rules.connection import Claim
from refresher.runtime.broker import make_broker, send
from refresher.runtime.redis import PipeliningBroker
from refresher.settings import load


@pytest.fixture
def broker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeliningBroker]:
    """The broker of the transport redis, on an empty database."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    made = make_broker(load(), "redis")
    assert isinstance(made, PipeliningBroker)
    yield made
    made.close()


@pytest.fixture
def actor(broker: PipeliningBroker) -> dramatiq.Actor[..., None]:
    """An actor that nobody runs."""

    @dramatiq.actor(broker=broker, queue_name="trip", actor_name="take", max_retries=0)
    def take(claims: list[tuple[str, int]]) -> None:
        raise AssertionError(claims)

    return take


def waiting(broker: PipeliningBroker) -> list[list[list[Any]]]:
    """Returns what each waiting message carries, the next one first."""
    ids = broker.client.lrange("dramatiq:trip", 0, -1)
    found = broker.client.hmget("dramatiq:trip.msgs", ids) if ids else []
    return [json.loads(message or b"")["args"][0] for message in found]


def groups(count: int) -> list[list[Claim]]:
    """Returns so many groups of one claim each."""
    return [[Claim(uuid4(), number)] for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_every_group_arrives_in_order(broker, actor, count):
    """However many messages there are, each is delivered once, in the order of sending."""
    sent = groups(count)
    send(actor, sent)
    assert [(UUID(m[0][0]), m[0][1]) for m in waiting(broker)] == [
        (group[0].connection_id, group[0].lease_token) for group in sent
    ]


def test_nothing_is_delayed(broker, actor):
    """The row says when, so there is no second queue for every worker to ask."""
    with pytest.raises(ValueError, match="no message may be delayed"):
        actor.send_with_options(args=([["late", 1]],), delay=1000)
    assert broker.get_declared_queues() == {"trip"}
    assert broker.get_declared_delay_queues() == set()
    assert waiting(broker) == []


def test_they_leave_together(broker, actor):
    """Inside the block nothing has left; at its end all of it has."""
    with broker.one_trip():
        for number in range(5):
            actor.send([[str(number), number]])
        assert waiting(broker) == []
    assert len(waiting(broker)) == 5
    actor.send([["after", 6]])
    assert len(waiting(broker)) == 6


def test_a_block_that_fails_sends_nothing(broker, actor):
    """What was to leave stays when its sender gives up, and the next message leaves as always."""

    def give_up() -> None:
        with broker.one_trip():
            actor.send([["lost", 1]])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    actor.send([["kept", 2]])
    assert waiting(broker) == [[["kept", 2]]]


def test_a_redis_that_refuses_is_told(broker, actor, monkeypatch):
    """An error on the way is the one sentence that releases the claims."""

    def refuse(*_: object, **__: object) -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(redis.client.Pipeline, "execute", refuse)
    with pytest.raises(RedisUnavailable, match="redis refuses messages"):
        send(actor, groups(3))
