"""The API over a `World`: real Postgres, a scripted provider, and requests without a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refresher.rules.access import Scope
from tests.web.kit import Site, let_people_connect
from tests.world import World

EVERY = frozenset(Scope)
PUBLIC_URL, BACK = "https://refresher.test", "https://app.example/connected"


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    """The API, with a key for all organizations and every scope."""
    let_people_connect(world)
    with Site.opened(world) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(module_database_url: str) -> Iterator[Site]:
    """The same, shared by the tests of one module."""
    world = World(module_database_url, public_url=PUBLIC_URL, connect_return_urls=[BACK])
    let_people_connect(world)
    with Site.opened(world) as opened:
        yield opened
    world.close()
