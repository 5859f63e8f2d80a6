"""Two installations: `here`, with one connection of each kind, and `there`, which is empty."""

from collections.abc import Iterator

import pytest

from tests.export.kit import of_all_kinds, ready
from tests.world import World


@pytest.fixture
def here(world: World) -> World:
    """An installation with one connection of each kind."""
    of_all_kinds(ready(world))
    return world


@pytest.fixture
def there(other_database_url: str) -> Iterator[World]:
    """An empty one, with keys of its own."""
    made = World(other_database_url)
    yield ready(made)
    made.close()
