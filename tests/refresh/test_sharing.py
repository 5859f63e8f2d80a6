"""One tenant's hanging token endpoints hold up its own callers, and nobody else's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from refresher.outbound.sender import Wire
from refresher.refresh.on_demand import OnDemand
from refresher.rules.outcomes import Reply
from tests.refresh.kit import text
from tests.waiting import wait_until
from tests.world import World

PLACES, HANGING = 4, 6


class Tarpit:
    """A provider that holds what is asked for one organization's tokens."""

    def __init__(self, world: World) -> None:
        self._script = world.script
        self.opened = threading.Event()
        self.held = 0

    async def send(self, wire: Wire) -> Reply:
        """Answers, at once or when it may."""
        assert wire.request is not None
        if "slow" in wire.request.parameters["refresh_token"]:
            self.held += 1
            await asyncio.to_thread(self.opened.wait)
        self._script.asked.append(wire.request)
        return self._script.rotate(wire.request)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world in which a process refreshes few at once."""
    made = World(database_url, max_in_flight=PLACES)
    yield made
    made.close()


def test_one_tenants_hanging_endpoints_leave_places_for_others(
    world: World, on_demand: OnDemand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another organization is served meanwhile, from its first call on; those that hang follow."""
    tarpit = Tarpit(world)
    monkeypatch.setattr(world.script, "send", tarpit.send)
    slow = [world.connect(f"slow{n}", organization_id="slow", expires_in=0) for n in range(HANGING)]
    others = [world.connect(f"o{n}", provider="paced", expires_in=0) for n in range(3)]
    with ThreadPoolExecutor(HANGING) as threads:
        asked = [threads.submit(on_demand.fresh_token, id_) for id_ in slow]
        wait_until(lambda: tarpit.held == PLACES - 1, 30)
        assert [text(on_demand.fresh_token(id_)) for id_ in others] == [
            "access-1", "access-2", "access-3"
        ]  # fmt: skip
        assert not any(each.done() for each in asked)
        tarpit.opened.set()
        assert len({text(each.result()) for each in asked}) == HANGING


def test_who_still_waits_for_a_place_is_let_go_at_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stops begins none of them; what is under way ends, and its token is stored."""
    on_demand, tarpit = OnDemand(world.services), Tarpit(world)
    monkeypatch.setattr(world.script, "send", tarpit.send)
    ids = [world.connect(f"slow{n}", expires_in=0) for n in range(HANGING)]
    futures = [on_demand._flights.fly(id_, 0, ("org", "acme")) for id_ in ids]
    wait_until(lambda: tarpit.held == PLACES - 1, 30)
    with ThreadPoolExecutor(1) as threads:
        closing = threads.submit(on_demand.close)
        wait_until(futures[-1].cancelled, 30)
        tarpit.opened.set()
        closing.result(60)
    assert [f.cancelled() for f in futures] == [False] * 3 + [True] * 3
    assert [world.row(id_).credential_version for id_ in ids] == [2, 2, 2, 1, 1, 1]
    with pytest.raises(RuntimeError, match="closed"):
        on_demand._flights.fly(ids[-1], 0, ("org", "acme"))
