"""What is sent arrives, what is lost is noticed, what is refused is told in a sentence."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import dramatiq
import pytest

from refresher.errors import RedisUnavailable
from refresher.rules.connection import Claim
from refresher.runtime.broker import queue_age_seconds, queue_depth, send
from refresher.runtime.rabbitmq import RabbitBroker
from tests.rabbitmq.server import RabbitServer
from tests.waiting import wait_until

QUEUE = "trip"
pytestmark = pytest.mark.slow


class Taken(list[int]):
    """The lease tokens that an actor was given; it may be held up."""

    def __init__(self, broker: RabbitBroker) -> None:
        self.go = threading.Event()
        self.go.set()

        @dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name="take", max_retries=0)
        def take(claims: list[tuple[str, int]]) -> None:
            self.extend(token for _, token in claims)
            self.go.wait(30)

        self.actor: dramatiq.Actor[..., None] = take


@pytest.fixture
def taken(broker: RabbitBroker) -> Taken:
    """An actor that notes what it was given."""
    return Taken(broker)


@contextmanager
def working(broker: RabbitBroker, threads: int = 1) -> Iterator[dramatiq.Worker]:
    """Runs a worker in the block, as ours are: it fetches no more than it works on."""
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=100)
    worker.queue_prefetch = threads
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def groups(*tokens: int) -> list[list[Claim]]:
    """Returns a group of one claim for each lease token."""
    return [[Claim(uuid4(), token)] for token in tokens]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_every_group_arrives_in_order(broker: RabbitBroker, taken: Taken, count: int) -> None:
    """However many messages there are, each is delivered once, in the order of sending."""
    send(taken.actor, groups(*range(count)))
    assert (queue_depth(broker, QUEUE), queue_age_seconds(broker, QUEUE)) == (count, None)
    with working(broker):
        wait_until(lambda: len(taken) == count)
    assert taken == list(range(count))
    assert queue_depth(broker, QUEUE) == 0


def test_nothing_is_delayed_and_a_block_that_fails_sends_nothing(
    broker: RabbitBroker, taken: Taken
) -> None:
    """The row says when; and who gives up on the way has sent nothing."""
    with pytest.raises(ValueError, match="no message may be delayed"):
        taken.actor.send_with_options(args=([["late", 1]],), delay=1000)
    assert broker.get_declared_delay_queues() == set()

    def give_up() -> None:
        with broker.one_trip():
            taken.actor.send([["lost", 1]])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    assert queue_depth(broker, QUEUE) == 0


def test_a_worker_holds_no_more_than_it_works_on(broker: RabbitBroker, taken: Taken) -> None:
    """The rest waits where any other worker gets it; what it held comes back when it goes."""
    send(taken.actor, groups(1, 2, 3, 4))
    taken.go.clear()
    with working(broker, threads=2):
        wait_until(lambda: len(taken) == 2)
        assert queue_depth(broker, QUEUE) == 2
        taken.go.set()
        wait_until(lambda: len(taken) == 4)


def test_a_server_that_lost_its_memory_is_noticed(
    broker: RabbitBroker, taken: Taken, rabbit: RabbitServer
) -> None:
    """After a restart, a crash or with an empty disk, once for each marker; sending goes on."""
    assert not broker.marker_stands("here")
    for lose in (rabbit.stop, rabbit.kill, rabbit.forget_all):
        assert broker.marker_stands("here")
        send(taken.actor, groups(1))
        lose()
        with pytest.raises(RedisUnavailable, match="rabbitmq cannot be used: nothing answers"):
            send(taken.actor, groups(2))
        rabbit.start()
        assert queue_depth(broker, QUEUE) == 0
        assert [broker.marker_stands("here") for _ in range(2)] == [False, True]
    broker.namespace += "other"
    assert not broker.marker_stands("here"), "each installation has its own"


def test_workers_come_back_by_themselves(
    broker: RabbitBroker, taken: Taken, rabbit: RabbitServer
) -> None:
    """After the server was away, and after somebody deleted the queue."""
    with working(broker):
        rabbit.stop()
        rabbit.start()
        send(taken.actor, groups(1))
        wait_until(lambda: taken == [1])
        rabbit.control("delete_queue", f"{broker.namespace}:{QUEUE}")
        send(taken.actor, groups(2))
        wait_until(lambda: 2 in taken)


def test_a_full_server_is_told_and_taken_up_again(
    broker: RabbitBroker, taken: Taken, rabbit: RabbitServer
) -> None:
    """With its alarm on it takes nothing, and says so; without it all is as before."""
    rabbit.control("set_vm_memory_high_watermark", "absolute", "1")
    with pytest.raises(RedisUnavailable, match="takes no messages, as its memory or disk is full"):
        send(taken.actor, groups(1))
    rabbit.control("set_vm_memory_high_watermark", "0.9")

    def takes() -> bool:
        try:
            send(taken.actor, groups(2))
        except RedisUnavailable:
            return False
        return True

    wait_until(takes)


def test_a_server_that_hangs_is_given_up(
    broker: RabbitBroker, taken: Taken, rabbit: RabbitServer
) -> None:
    """No tick waits for it so long that its process looks dead (30 s)."""
    send(taken.actor, groups(1))
    rabbit.suspend()
    try:
        with pytest.raises(RedisUnavailable, match="rabbitmq cannot be used"):
            send(taken.actor, groups(2))
    finally:
        rabbit.resume()
    send(taken.actor, groups(3))


def test_what_is_refused_is_told_without_secrets(rabbit: RabbitServer) -> None:
    """A wrong password, a virtual host that is none, a permission that is missing, a name unknown."""
    rabbit.control("add_user", "less", "s3cr3t")
    nowhere = "amqp://less:s3cr3t@127.0.0.1:9/"
    cases = {
        rabbit.url(password="s3cr3t"): "it refuses the user or the password",
        rabbit.url("nowhere"): "there is no such virtual host, or the user may not use it",
        rabbit.url(user="less", password="s3cr3t"): "there is no such virtual host",
        nowhere: "nothing answers at its address",
        "amqp://less:s3cr3t@no.such.host.invalid/": "nothing answers at its address",
    }
    for url, sentence in cases.items():
        with pytest.raises(RedisUnavailable) as raised:
            RabbitBroker(url, []).depth(QUEUE)
        assert sentence in str(raised.value)
        assert "s3cr3t" not in str(raised.value)
    rabbit.control("set_permissions", "-p", "/", "less", "^other:", ".*", ".*")
    with pytest.raises(RedisUnavailable, match="lacks a permission on queues that begin with"):
        RabbitBroker(rabbit.url(user="less", password="s3cr3t"), []).depth(QUEUE)
    rabbit.control("delete_user", "less")
