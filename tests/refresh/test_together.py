"""One exchange for any number of callers, and a wait that is bounded."""

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from refresher.errors import TokenUnavailable
from refresher.refresh.on_demand import OnDemand
from refresher.refresh.recovery import release_own
from refresher.refresh.single_flight import claim_now
from refresher.refresh.steps import refresh
from refresher.rules.connection import Secret
from refresher.rules.served import Served, fingerprint
from refresher.rules.serving import Stored
from refresher.store.serving import Lane, Wanted
from tests.refresh.kit import Gate, refusal, text
from tests.waiting import wait_until
from tests.world import World


def test_a_thousand_calls_cause_one_exchange(world: World, on_demand: OnDemand):
    """Callers in 50 threads who all find the token expired share one refresh."""
    connection = world.connect(expires_in=0)
    gate = Gate(world)
    with ThreadPoolExecutor(50) as threads:
        asked = [threads.submit(on_demand.fresh_token, connection) for _ in range(1000)]
        assert gate.asked.wait(30)
        gate.opened.set()
        tokens = {text(each.result()) for each in asked}
    assert (tokens, len(world.script.asked)) == ({"access-1"}, 1)


def test_a_thousand_tasks_cause_one_exchange(world: World, on_demand: OnDemand):
    """A thousand waiting tasks of an event loop hold neither threads nor connections."""
    connection = world.connect(expires_in=0)
    gate = Gate(world)

    async def ask() -> set[str]:
        asked = [
            asyncio.ensure_future(on_demand.fresh_token_async(connection)) for _ in range(1000)
        ]
        await asyncio.to_thread(gate.asked.wait, 30)
        # While all wait, the pool has connections for others
        other = await asyncio.to_thread(world.row, connection)
        assert other.state == 1
        gate.opened.set()
        return {text(served) for served in await asyncio.gather(*asked)}

    assert asyncio.run(ask()) == {"access-1"}
    assert len(world.script.asked) == 1


def test_two_event_loops_and_their_threads_share_one_exchange(world: World, on_demand: OnDemand):
    """A process may have several event loops; the row has one refresh."""
    connection = world.connect(expires_in=0)

    async def ask() -> list[Served]:
        return await asyncio.gather(*[on_demand.fresh_token_async(connection) for _ in range(20)])

    with ThreadPoolExecutor(2) as threads:
        served = [
            s for loop in [threads.submit(asyncio.run, ask()) for _ in "ab"] for s in loop.result()
        ]
    assert {text(s) for s in served} == {"access-1"}
    assert len(world.script.asked) == 1


def test_who_finds_it_leased_waits_for_that_lease(world: World, on_demand: OnDemand):
    """Another process's refresh is waited for, and its token served."""
    connection = world.connect(expires_in=0)
    claim = claim_now(world.services, connection)
    assert claim is not None
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(on_demand.fresh_token, connection)
        wait_until(lambda: on_demand._leases._waited)
        refresh(world.services, [claim])
        assert text(asked.result()) == "access-1"
    assert len(world.script.asked) == 1


def test_who_waits_takes_over_a_lease_without_outcome(world: World, on_demand: OnDemand):
    """When the other process gives its claim back, the one that waited refreshes."""
    connection = world.connect(expires_in=0)
    assert claim_now(world.services, connection)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(on_demand.fresh_token, connection)
        wait_until(lambda: on_demand._leases._waited)
        release_own(world.services)
        assert text(asked.result()) == "access-1"


def test_a_claim_is_only_good_for_what_was_seen(world: World):
    """Who looked before another's refresh cannot claim after it."""
    connection = world.connect()
    seen = world.row(connection).lease_token
    claim = claim_now(world.services, connection, seen=seen)
    assert claim is not None
    refresh(world.services, [claim])
    assert claim_now(world.services, connection, seen=seen) is None
    assert claim_now(world.services, connection, seen=claim.lease_token) is not None


@pytest.mark.parametrize("left", [30, 0])
def test_the_wait_is_bounded(world: World, on_demand: OnDemand, left: int):
    """After `wait_seconds` a valid token is served with a flag, an expired one is an error."""
    connection = world.connect(expires_in=left)
    assert claim_now(world.services, connection)
    if left:
        served = on_demand.fresh_token(connection, wait_seconds=0.05)
        assert (text(served), served.stale, served.reason) == (
            "access-of-c1",
            True,
            "still_refreshing",
        )
    else:
        error = refusal(on_demand, connection, wait_seconds=0.05)
        assert (error.code, error.retry_after_seconds) == ("still_refreshing", 1)


def test_a_wait_that_ends_leaves_the_refresh_to_end(world: World, on_demand: OnDemand):
    """Nobody's impatience cuts an exchange off: its token is stored all the same."""
    connection = world.connect(expires_in=0)
    gate = Gate(world)

    async def ask() -> None:
        with pytest.raises(TokenUnavailable):
            await on_demand.fresh_token_async(connection, wait_seconds=0)
        assert await asyncio.to_thread(gate.asked.wait, 30)

    asyncio.run(ask())
    gate.opened.set()
    wait_until(lambda: not on_demand.busy)
    assert text(on_demand.fresh_token(connection)) == "access-1"


def test_no_read_is_forgotten_when_others_end(
    world: World, on_demand: OnDemand, monkeypatch: pytest.MonkeyPatch
):
    """Who asks in the moment in which every read under way has ended is answered."""
    connections = [world.connect(f"c{n}") for n in range(3)]
    ready: list[object] = []
    ends = asyncio.Event()
    read = Lane.stored_many

    async def held(self: Lane, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        found = await read(self, wanted)
        ready.append(wanted)
        await ends.wait()
        return found

    monkeypatch.setattr(Lane, "stored_many", held)

    async def ask(connection: UUID) -> str:
        return text(await on_demand.fresh_token_async(connection))

    async def ask_when_two_have_ended(rounds_later: int) -> None:
        ready.clear()
        ends.clear()
        asked = []
        for number, connection in enumerate(connections[:2], start=1):
            asked.append(asyncio.ensure_future(ask(connection)))
            while len(ready) < number:  # noqa: ASYNC110  each has a lane of its own
                await asyncio.sleep(0.001)
        ends.set()  # so that their ends come together
        for _ in range(rounds_later):
            await asyncio.sleep(0)
        assert await ask(connections[2]) == "access-of-c2"
        await asyncio.gather(*asked)

    async def story() -> None:
        for rounds_later in range(5):
            await asyncio.wait_for(ask_when_two_have_ended(rounds_later), 20)

    asyncio.run(story())


def test_a_rejected_token_is_refreshed_once(world: World, on_demand: OnDemand):
    """A hundred reports about one token cause one refresh; a report about an older one causes none."""
    connection = world.connect()
    world.pass_time(60)
    old = fingerprint(Secret("access-of-c1"))
    with ThreadPoolExecutor(20) as threads:
        asked = [
            threads.submit(on_demand.fresh_token, connection, rejected=old) for _ in range(100)
        ]
        assert {text(each.result()) for each in asked} == {"access-1"}
    world.pass_time(60)
    assert text(on_demand.fresh_token(connection, rejected=old)) == "access-1"
    assert len(world.script.asked) == 1
