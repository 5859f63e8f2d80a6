"""A provider that leaves no old access token good (`old_access_token_survives = false`)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from refresher.refresh.on_demand import OnDemand
from tests.refresh.kit import Gate, text
from tests.world import World


@pytest.fixture(params=[False, True], ids=["dies", "survives"])
def survives(world: World, request: pytest.FixtureRequest) -> bool:
    """Whether acme's old tokens do."""
    world.describe("acme", old_access_token_survives=request.param)
    return bool(request.param)


@pytest.fixture
def on_demand(world: World, survives: bool) -> Iterator[OnDemand]:
    """Refresh on demand in that world."""
    made = OnDemand(world.services)
    yield made
    made.close()


def test_the_token_tells_whether_it_outlives_a_refresh(
    world: World, on_demand: OnDemand, survives: bool
) -> None:
    """So its holder knows whether it may be kept; a good one is served as ever."""
    served = on_demand.fresh_token(world.connect())
    assert (text(served), served.stale) == ("access-of-c1", False)
    assert served.old_access_token_survives is survives


def test_a_token_whose_refresh_is_under_way_is_waited_for(
    world: World, on_demand: OnDemand, survives: bool
) -> None:
    """It has half an hour left, and may be dead at any moment: the answer is waited for."""
    id_ = world.connect(expires_in=1800)
    gate = Gate(world)
    with ThreadPoolExecutor(2) as pool:
        refreshing = pool.submit(on_demand.refresh_now, id_, wait_seconds=30)
        assert gate.asked.wait(30)
        late = on_demand.fresh_token(id_, wait_seconds=0)
        reason = None if survives else "still_refreshing"
        assert (text(late), late.reason) == ("access-of-c1", reason)
        asked = pool.submit(on_demand.fresh_token, id_)
        if survives:
            assert text(asked.result(30)) == "access-of-c1"
        gate.opened.set()
        assert refreshing.result(30).outcome == "refreshed"
        assert text(asked.result(30)) == ("access-of-c1" if survives else "access-1")


def test_who_wants_more_life_does_not_end_the_token_of_others(
    world: World, on_demand: OnDemand, survives: bool
) -> None:
    """The refresh comes when it is due; until then the token is served with the reason."""
    id_ = world.connect(expires_in=1800)
    served = on_demand.fresh_token(id_, min_ttl_seconds=2_000)
    told = (text(served), served.reason, len(world.script.asked))
    assert told == (("access-1", None, 1) if survives else ("access-of-c1", "old_token_dies", 0))
