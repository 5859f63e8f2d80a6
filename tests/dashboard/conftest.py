"""The dashboard over a `World`: real Postgres, a scripted provider, and requests without a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refresher.web.dashboard import sessions
from tests.dashboard.kit import Person
from tests.web.conftest import PUBLIC_URL
from tests.web.kit import Site, let_people_connect
from tests.world import World


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets tests ask as often as they like."""
    monkeypatch.setattr(sessions, "PER_SECOND", 100_000.0)


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    """The web process, with a key for all organizations and every scope."""
    let_people_connect(world)
    with Site.opened(world) as opened:
        yield opened


@pytest.fixture
def person(site: Site) -> Person:
    """Somebody signed in who may do everything, for all organizations."""
    return Person.signed_in(site)


@pytest.fixture(scope="module")
def shared(module_database_url: str) -> Iterator[Site]:
    """A web process that the tests of one module share."""
    world = World(module_database_url, public_url=PUBLIC_URL)
    let_people_connect(world)
    with Site.opened(world) as opened:
        yield opened
    world.close()
