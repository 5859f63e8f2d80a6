"""A provider that takes only so many requests of one grant (`refresh_interval_seconds`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refresher.errors import TokenUnavailable
from refresher.refresh.on_demand import OnDemand
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Reply
from refresher.rules.served import fingerprint
from tests.refresh.kit import refusal, text
from tests.world import World, granted, refused

INTERVAL = 600.0


@pytest.fixture
def slow(world: World) -> World:
    """The world in which acme takes one request of a grant in ten minutes."""
    world.describe("acme", refresh_interval_seconds=INTERVAL)
    return world


@pytest.fixture
def on_demand(slow: World) -> Iterator[OnDemand]:
    """Refresh on demand in that world."""
    made = OnDemand(slow.services)
    yield made
    made.close()


@pytest.mark.parametrize(
    "answer",
    [
        granted(access_token="a", expires_in=3600),
        granted(access_token="a", expires_in=30),
        Reply(503, {}, b""),
        Reply(failure="timeout"),
        refused("invalid_client"),
        Reply(429, {"retry-after": "1"}, b""),
    ],
)
def test_the_next_request_comes_no_sooner(slow: World, answer: Reply) -> None:
    """Whatever came of the first: a success, trouble, or nothing at all."""
    id_ = slow.connect(expires_in=0)
    slow.script.answer = lambda _: answer
    slow.tick()
    slow.pass_time(INTERVAL - 5)
    slow.tick()
    assert len(slow.script.asked) == 1
    slow.pass_time(4_000)
    slow.tick()
    assert len(slow.script.asked) == 2
    assert slow.row(id_).state == 0


@pytest.mark.parametrize("how", ["resumed", "swept"])
def test_nobody_gets_round_it(slow: World, how: str) -> None:
    """A row that is made due meanwhile waits for the end of the interval, and says for what."""
    id_ = slow.connect(expires_in=0)
    slow.tick()
    if how == "swept":
        slow.run("update refresh_event set kind = 'swept', exchange_seconds = null")
    slow.run("update refresh_schedule set due_at = refresher_now()")
    slow.pass_time(100)
    slow.tick()
    row = slow.row(id_)
    assert len(slow.script.asked) == 1
    assert (row.postponed_by, row.waits_for) == ("pace:acme", None)
    assert 500 <= (row.due_at - slow.clock.now).total_seconds() <= 550
    slow.pass_time(560)
    slow.tick()
    assert len(slow.script.asked) == 2
    assert slow.row(id_).postponed_by is None


@pytest.mark.parametrize(
    "answer", [Reply(failure="unsent", sent=False), Reply(failure="connect", sent=False)]
)
def test_what_never_left_counts_for_nothing(slow: World, answer: Reply) -> None:
    """No request was made, so the next one may be."""
    slow.connect(expires_in=0)
    slow.script.answer = lambda _: answer
    slow.tick()
    slow.pass_time(300)
    slow.tick()
    assert len(slow.script.asked) == 2


def test_a_new_grant_has_a_pace_of_its_own(slow: World) -> None:
    """Who connects again is another grant."""
    slow.connect(expires_in=0)
    slow.tick()
    slow.connect(expires_in=0, refresh_token="of-another-consent")
    slow.tick()
    assert len(slow.script.asked) == 2


def test_who_asks_on_demand_is_told_when(slow: World, on_demand: OnDemand) -> None:
    """A token that ended is an error with the time to wait; one that lives is served as it is."""
    id_ = slow.connect(expires_in=0)
    slow.script.answer = lambda _: granted(access_token="short", expires_in=120)
    assert text(on_demand.fresh_token(id_)) == "short"
    slow.pass_time(30)
    rejected = fingerprint(Secret("short"))
    served = on_demand.fresh_token(id_, rejected=rejected)
    assert (served.stale, served.reason) == (True, "paced")
    with pytest.raises(TokenUnavailable) as raised:
        on_demand.refresh_now(id_, wait_seconds=5)
    assert raised.value.code == "paced"
    slow.pass_time(120)
    error = refusal(on_demand, id_)
    assert error.code == "paced"
    assert 400 < (error.retry_after_seconds or 0) <= 520
    assert len(slow.script.asked) == 1
    slow.pass_time(600)
    assert on_demand.refresh_now(id_, wait_seconds=5).outcome == "refreshed"


def test_a_refresh_now_that_comes_too_soon_is_told_at_once(
    slow: World, on_demand: OnDemand
) -> None:
    """The first who asks so finds it out by trying, and hears the same."""
    id_ = slow.connect(expires_in=0)
    slow.tick()
    with pytest.raises(TokenUnavailable) as raised:
        on_demand.refresh_now(id_, wait_seconds=5)
    assert raised.value.code == "paced"
    assert "takes no second refresh of one grant so soon" in str(raised.value)
