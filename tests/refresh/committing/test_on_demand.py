"""A caller waits for a token, and Postgres does not take the fresh pair: it is kept, and he is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from refresher.errors import DatabaseUnavailable, RefresherError
from refresher.refresh.on_demand import OnDemand
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from tests.refresh.committing.faults import FAULTS
from tests.refresh.committing.in_hand import rotated, sweep_until_stored
from tests.waiting import wait_until
from tests.world import World


@pytest.fixture
def on_demand(world: World) -> Iterator[OnDemand]:
    """What serves tokens in this process."""
    made = OnDemand(world.services)
    yield made
    made.close()


def break_with_the_reply(world: World, admin: psycopg.Connection[Any], fault: str) -> None:
    """Has Postgres refuse from the moment at which the rotated pair is in hand."""

    def answer(request: TokenRequest) -> Reply:
        FAULTS[fault][0](admin)
        return rotated(request)

    world.script.answer = answer


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        # Whose session the failover ended hears of that instead.
        ("read-only", (RefresherError, "it is being refreshed, which took longer|cannot be used")),
        (
            "constraint",
            (DatabaseUnavailable, "does not take the fresh token .* it is kept, sealed"),
        ),
    ],
)
def test_who_waits_is_told_and_the_pair_is_kept(
    world: World,
    admin: psycopg.Connection[Any],
    on_demand: OnDemand,
    fault: str,
    told: tuple[type[Exception], str],
) -> None:
    """In a sentence that says so; asked again when Postgres takes it, he has that very token."""
    id_ = world.connect("c1", expires_in=0)
    break_with_the_reply(world, admin, fault)
    error, words = told
    with pytest.raises(error, match=words) as raised:
        on_demand.fresh_token(id_, wait_seconds=3)
    assert "new-" not in str(raised.value)
    wait_until(lambda: len(world.services.spool.entries()) == 1, 30)
    FAULTS[fault][1](admin)
    sweep_until_stored(world)
    served = on_demand.fresh_token(id_, wait_seconds=20)
    assert served.access_token.reveal() == "new-access-refresh-of-c1"
    assert world.token(id_, "refresh_token") == "new-refresh-of-c1"
    assert len(world.script.asked) == 1


@pytest.mark.parametrize("fault", ["read-only", "constraint"])
def test_a_token_that_is_valid_still_is_served_meanwhile(
    world: World, admin: psycopg.Connection[Any], on_demand: OnDemand, fault: str
) -> None:
    """With less life than asked for: better than an error while the fresh one cannot be stored."""
    id_ = world.connect("c1", expires_in=30)
    break_with_the_reply(world, admin, fault)
    for _ in range(2):
        try:
            served = on_demand.fresh_token(id_, wait_seconds=2)
        except DatabaseUnavailable:
            assert fault == "constraint"  # told once, to who asked for that very refresh
            continue
        assert (served.access_token.reveal(), served.stale) == ("access-of-c1", True)
    wait_until(lambda: len(world.services.spool.entries()) == 1, 30)
    FAULTS[fault][1](admin)
    sweep_until_stored(world)
    assert world.token(id_, "refresh_token") == "new-refresh-of-c1"
    assert len(world.script.asked) == 1
