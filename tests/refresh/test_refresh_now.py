"""Refresh now, and how a process takes part in refreshing."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from refresher.errors import DatabaseUnavailable, TokenUnavailable
from refresher.refresh.on_demand import OnDemand
from refresher.refresh.recovery import release_own
from refresher.refresh.single_flight import claim_now
from refresher.refresh.token_flow import Await, Try
from tests.refresh.kit import Gate, stop
from tests.waiting import wait_until
from tests.world import World


def test_refreshing_now_does_so_whatever_is_left(world: World, on_demand: OnDemand):
    """A refresh now is done for a fresh token, too, and tells how it ended."""
    connection = world.connect()
    ending = on_demand.refresh_now(connection, wait_seconds=20)
    assert (ending.outcome, ending.by_us) == ("refreshed", True)
    assert asyncio.run(on_demand.refresh_now_async(connection, wait_seconds=20)).by_us
    assert len(world.script.asked) == 2


def test_refreshing_now_together_is_one_refresh(
    world: World, on_demand: OnDemand, monkeypatch: pytest.MonkeyPatch
):
    """Who asks while it is under way gets the ending of that one."""
    connection = world.connect()
    gate, joined, join = Gate(world), list[object](), on_demand._future

    def counted(step: Try | Await) -> Future[object]:
        joined.append(step)
        return join(step)

    monkeypatch.setattr(on_demand, "_future", counted)
    with ThreadPoolExecutor(20) as threads:
        asked = [
            threads.submit(on_demand.refresh_now, connection, wait_seconds=20) for _ in range(20)
        ]
        wait_until(lambda: len(joined) == 20, 30)
        gate.opened.set()
        assert {each.result().outcome for each in asked} == {"refreshed"}
    assert len(world.script.asked) == 1


def test_refreshing_now_has_an_end(world: World, on_demand: OnDemand):
    """After `wait_seconds` of another's lease, or for a parked row, it is an error with a code."""
    connection = world.connect()
    assert claim_now(world.services, connection)
    with pytest.raises(TokenUnavailable, match="took longer"):
        on_demand.refresh_now(connection, wait_seconds=0.05)
    release_own(world.services)
    stop(world, connection, "paused")
    with pytest.raises(TokenUnavailable, match="is paused"):
        on_demand.refresh_now(connection, wait_seconds=1)
    with pytest.raises(TokenUnavailable, match="no such connection"):
        on_demand.refresh_now(connection, wait_seconds=1, organization_id="other")


def test_a_refresh_that_cannot_begin_gives_its_claim_back(
    world: World, on_demand: OnDemand, monkeypatch: pytest.MonkeyPatch
):
    """An error between claim and begin is told to all who wait, and the row is free again."""
    connection = world.connect(expires_in=0)

    def broken(*_: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr("refresher.refresh.single_flight.refresh", broken)
    with pytest.raises(DatabaseUnavailable):
        on_demand.fresh_token(connection)
    assert world.row(connection).state == 0


def test_a_process_without_a_heartbeat_gets_one_with_its_first_refresh(world: World):
    """An application's process is registered as alive before it holds a lease, and takes leave."""
    connection = world.connect(expires_in=0)
    client = OnDemand(world.services, role="client")
    assert world.rows("select * from worker") == []
    client.fresh_token(connection)
    assert world.one("select role, stopped_at from worker").role == "client"
    client.close()
    assert world.one("select stopped_at from worker").stopped_at is not None
