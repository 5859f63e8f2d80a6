"""The actors on Dramatiq's StubBroker: arguments, queue, no retries, one bad batch alone."""

from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from refresher import actors
from refresher.refresh import dispatch
from refresher.runtime import broker
from refresher.runtime.services import Services
from tests.world import World


@pytest.fixture
def stub_broker(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubBroker]:
    """The broker that the actors were declared on, empty, and with this test's services."""
    assert isinstance(broker.broker, StubBroker)

    def services() -> Services:
        return world.services

    monkeypatch.setattr(actors, "services", services)
    broker.broker.flush_all()
    yield broker.broker
    broker.broker.flush_all()


@pytest.fixture
def stub_worker(stub_broker: StubBroker) -> Iterator[dramatiq.Worker]:
    """A running worker."""
    worker = dramatiq.Worker(stub_broker, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()


def send(groups: object) -> None:
    """Hands claims to the actor, as the scheduler does."""
    broker.send(actors.refresh_connections, groups)  # type: ignore[arg-type]


def test_a_claim_that_is_sent_is_refreshed(
    world: World, stub_broker: StubBroker, stub_worker: dramatiq.Worker
) -> None:
    """Claim, message, actor, fresh token: the whole way through Dramatiq's own worker."""
    # Given three due connections
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(3)]
    # When the dispatch hands them over, and the worker has done its work
    dispatch.dispatch_due(world.services, send)
    stub_broker.join(actors.refresh_connections.queue_name)
    stub_worker.join()
    # Then each has a fresh token
    assert [world.events(i)[-1] for i in ids] == ["refreshed"] * 3


def test_a_message_carries_ids_and_lease_tokens_and_no_secret(
    world: World, stub_broker: StubBroker
) -> None:
    """M10: what Redis would hold is useless to who reads it."""
    id_ = world.connect(access_token="canary-access", refresh_token="canary-refresh", expires_in=0)
    dispatch.dispatch_due(world.services, send)
    (text,) = list(stub_broker.queues[actors.refresh_connections.queue_name].queue)
    assert str(id_) in text.decode()
    assert "canary" not in text.decode()


def test_the_actor_is_never_retried_by_dramatiq() -> None:
    """M12: the row is the only retry authority; names and queue are as configured."""
    actor = actors.refresh_connections
    assert actor.options["max_retries"] == 0
    assert (actor.actor_name, actor.queue_name) == ("refresh_connections", "integration_refresh")


def test_a_bug_in_one_batch_leaves_its_rows_to_the_sweep(
    world: World,
    stub_broker: StubBroker,
    stub_worker: dramatiq.Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An actor that raises loses nothing, and the worker goes on with the next message."""
    id_ = world.connect(expires_in=0)
    with monkeypatch.context() as patch:
        patch.setattr(actors, "refresh", lambda *_: 1 / 0)
        dispatch.dispatch_due(world.services, send)
        stub_broker.join(actors.refresh_connections.queue_name, fail_fast=False)
        stub_worker.join()
    assert world.row(id_).state == 1
    world.run("update refresh_schedule set state = 0, lease_until = null")
    dispatch.dispatch_due(world.services, send)
    stub_broker.join(actors.refresh_connections.queue_name)
    stub_worker.join()
    assert world.events(id_)[-1] == "refreshed"
