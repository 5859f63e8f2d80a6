"""Idle threads of Dramatiq sleep until there is a message, and a stop wakes them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import pytest
import redis

from refresher.runtime import queues
from refresher.runtime import redis as over_redis
from refresher.runtime.broker import make_broker
from refresher.runtime.queues import InMemoryBroker
from refresher.runtime.redis import PipeliningBroker
from refresher.runtime.worker import WorkerProcess
from refresher.settings import load
from tests.waiting import wait_until

PATIENCE_SECONDS = 30.0


@pytest.fixture
def in_memory() -> Iterator[InMemoryBroker]:
    """The broker of the transport in_process."""
    made = make_broker(load(), "in_process")
    assert isinstance(made, InMemoryBroker)
    made.add_middleware(WorkerProcess())
    yield made
    made.close()


@pytest.fixture
def on_redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeliningBroker]:
    """The broker of the transport redis, on an empty database."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    made = make_broker(load(), "redis")
    assert isinstance(made, PipeliningBroker)
    made.add_middleware(WorkerProcess())
    yield made
    made.close()


def actor(broker: dramatiq.Broker) -> "tuple[dramatiq.Actor[..., None], threading.Semaphore]":
    """Returns an actor that counts."""
    done = threading.Semaphore(0)

    @dramatiq.actor(broker=broker, queue_name="work", actor_name="take", max_retries=0)
    def take() -> None:
        done.release()

    return take, done


@contextmanager
def running(broker: dramatiq.Broker) -> Iterator[dramatiq.Worker]:
    """Runs a worker of eight threads."""
    worker = dramatiq.Worker(broker, worker_threads=8, queues={"work"})
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_no_thread_of_an_idle_worker_wakes_up(
    in_memory: InMemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None waits by a clock before the stop: neither those that work nor the one that consumes."""
    waits: list[object] = []
    wait = threading.Condition.wait

    def noted(self: threading.Condition, timeout: float | None = None) -> bool:
        # "Dummy-": a thread that Dramatiq has started has a class of its own.
        if type(threading.current_thread()).__module__ == "dramatiq.worker":
            waits.append(timeout)
        return wait(self, timeout)

    monkeypatch.setattr(threading.Condition, "wait", noted)
    take, done = actor(in_memory)
    with running(in_memory):
        for _ in range(3):
            take.send()
            assert done.acquire(timeout=PATIENCE_SECONDS)
        wait_until(lambda: len(waits) >= 9, reason=lambda: f"not all sleep: {waits}")
        assert set(waits) == {None}
    assert queues.ENDING_SECONDS in waits


def test_a_worker_can_be_started_again_on_the_same_broker(in_memory: InMemoryBroker) -> None:
    """As when all starts anew in one process; what was sent between the two is done."""
    take, done = actor(in_memory)
    with running(in_memory):
        take.send()
        assert done.acquire(timeout=PATIENCE_SECONDS)
    take.send()
    assert not done.acquire(blocking=False)
    with running(in_memory):
        assert done.acquire(timeout=PATIENCE_SECONDS)


def test_no_message_is_delayed_in_memory(in_memory: InMemoryBroker) -> None:
    """The row says when."""
    take, _ = actor(in_memory)
    with pytest.raises(ValueError, match="due_at"):
        take.send_with_options(delay=1_000)
    in_memory.declare_queue("work")  # a second time, which is nothing


def blocked(broker: PipeliningBroker) -> Callable[[], bool]:
    """Returns what tells that a consumer blocks at Redis."""
    return lambda: int(broker.client.info("clients")["blocked_clients"]) > 0


def fetches(broker: PipeliningBroker) -> int:
    """Returns how many scripts Redis has run."""
    told = broker.client.info("commandstats").get("cmdstat_evalsha", {})
    return int(told.get("calls", 0))


def test_an_idle_consumer_of_redis_blocks_until_there_is_a_message(
    on_redis: PipeliningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks once and then sleeps; a message wakes it at once, and none changes its place."""
    take, done = actor(on_redis)
    consumer = on_redis.consume("work", prefetch=8)
    monkeypatch.setattr(over_redis, "BLOCK_SECONDS", 0.01)
    assert next(consumer) is None  # by then Redis knows the scripts
    monkeypatch.setattr(over_redis, "BLOCK_SECONDS", 9)  # no clock brings this test on
    before = fetches(on_redis)
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(next(consumer)))
    thread.start()
    wait_until(blocked(on_redis), reason=lambda: "nobody blocks")
    assert fetches(on_redis) - before == 1
    sent = [take.send() for _ in range(3)]
    thread.join(PATIENCE_SECONDS)
    assert seen == [None]
    assert [getattr(next(consumer), "message_id", None) for _ in sent] == [
        one.message_id for one in sent
    ]
    assert not done.acquire(blocking=False)


class Room(threading.Event):
    """An event that tells when it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits."""
        self.waited_for.set()
        return super().wait(timeout)


def test_a_consumer_with_its_hands_full_waits_for_a_place(
    on_redis: PipeliningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks nobody until one of its messages is done, well or not."""
    monkeypatch.setattr(over_redis, "BLOCK_SECONDS", 9)
    take, _ = actor(on_redis)
    for _ in range(3):
        take.send()
    consumer = on_redis.consume("work", prefetch=1)
    assert isinstance(consumer, over_redis.BlockingConsumer)
    room = consumer._room = Room()
    for end in (consumer.ack, consumer.nack):
        message, seen = next(consumer), list[Any]()
        room.waited_for.clear()
        thread = threading.Thread(target=lambda to=seen: to.append(next(consumer)))
        thread.start()
        assert room.waited_for.wait(PATIENCE_SECONDS)
        end(message)
        thread.join(PATIENCE_SECONDS)
        assert seen == [None]
    assert next(consumer) is not None


def test_a_redis_that_lets_nobody_block_is_asked_by_the_clock(
    on_redis: PipeliningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an ACL may have it: all goes on as it did without."""

    def refused(*_: object) -> None:
        raise redis.ResponseError("NOPERM this user has no permissions to run the 'blmove' command")

    monkeypatch.setattr(on_redis.client, "blmove", refused)
    take, done = actor(on_redis)
    with running(on_redis):
        take.send()
        assert done.acquire(timeout=PATIENCE_SECONDS)


def test_a_connection_that_breaks_is_opened_again(
    on_redis: PipeliningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dramatiq is told, and makes a new consumer."""

    def broken(*_: object) -> None:
        raise redis.ConnectionError("gone")

    consumer = on_redis.consume("work", prefetch=1)
    monkeypatch.setattr(on_redis.client, "blmove", broken)
    with pytest.raises(dramatiq.ConnectionClosed):
        next(consumer)
