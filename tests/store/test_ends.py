"""The fixed end of a refresh token: told 30, 7 and 1 days ahead, in simulated days."""

from datetime import timedelta
from typing import Any

import pytest

from refresher.notify import watch
from refresher.rules.providers import Provider
from tests.store.news import answer, told
from tests.world import World, granted

FORTY_DAYS = 40 * 86_400


@pytest.fixture
def fixed(world: World) -> World:
    """A world in which acme's refresh tokens end on a fixed day."""
    object.__setattr__(
        world.services.catalogue,
        "_providers",
        {"acme": Provider("acme", "https://acme.example/token", refresh_token_clock="fixed")},
    )
    return world


def days_told(world: World) -> list[Any]:
    """How many days were told, in order."""
    return [e.payload["days_left"] for e in told(world) if e.kind == "connection.expiring"]


def live(world: World, days: float) -> None:
    """Lets days pass, looking twice a day."""
    for _ in range(int(days * 2)):
        world.pass_time(43_200)
        watch.tell(world.services)


def test_an_end_is_told_thirty_seven_and_one_day_ahead(fixed: World) -> None:
    """Three notices in forty days, each once."""
    fixed.connect(expires_in=None, refresh_token_expires_in=FORTY_DAYS)
    live(fixed, 9.5)
    assert days_told(fixed) == []
    live(fixed, 1)
    assert days_told(fixed) == [30]
    live(fixed, 22)
    assert days_told(fixed) == []
    live(fixed, 1)
    assert days_told(fixed) == [7]
    live(fixed, 6)
    assert days_told(fixed) == [1]
    live(fixed, 2)
    assert days_told(fixed) == []
    assert fixed.rows("select 1 from grant_end") == []


def test_an_end_that_moved_away_is_not_told(fixed: World) -> None:
    """A grant that was given anew meanwhile counts from its new end, and is told of in its time."""
    id_ = fixed.connect(expires_in=3600, refresh_token_expires_in=FORTY_DAYS)
    live(fixed, 20)
    assert days_told(fixed) == [30]
    fixed.connect(expires_in=3600, refresh_token_expires_in=FORTY_DAYS)
    live(fixed, 9)
    assert days_told(fixed) == []
    # A refresh that tells a later end needs no write of its own.
    later = fixed.services.database.simulated_now + timedelta(days=60)  # type: ignore[operator]
    fixed.run("update connection set refresh_token_expires_at = :at", at=later)
    live(fixed, 29)
    assert days_told(fixed) == []
    live(fixed, 2)
    assert days_told(fixed) == [30]
    assert told(fixed) == []
    assert fixed.one("select connection_id from grant_end").connection_id == id_


def test_the_end_that_a_refresh_tells_is_watched(fixed: World) -> None:
    """An answer with `refresh_token_expires_in` is enough; a second one writes nothing."""
    fixed.connect(expires_in=0)
    answer(fixed, granted(access_token="a", expires_in=3600, refresh_token_expires_in=FORTY_DAYS))
    fixed.tick()
    assert len(fixed.rows("select 1 from grant_end")) == 1
    written = fixed.one("select xmin::text as x from grant_end").x
    fixed.pass_time(3600)
    answer(
        fixed,
        granted(access_token="b", expires_in=3600, refresh_token_expires_in=FORTY_DAYS - 3600),
    )
    fixed.tick()
    assert fixed.one("select xmin::text as x from grant_end").x == written


def test_a_grant_that_lives_for_a_day_is_not_about_to_end_when_it_begins(fixed: World) -> None:
    """Only an end that comes near is told, not one that was near from the start."""
    fixed.connect(expires_in=3600, refresh_token_expires_in=86_400)
    live(fixed, 1)
    assert days_told(fixed) == []


def test_a_sliding_end_is_not_watched(world: World) -> None:
    """What moves with each use is kept alive by use."""
    world.connect(expires_in=3600, refresh_token_expires_in=FORTY_DAYS)
    assert world.rows("select 1 from grant_end") == []
