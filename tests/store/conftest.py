"""A world on a database of its own for each store test."""

from collections.abc import Iterator

import pytest

from tests.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Real services on a fresh database."""
    made = World(database_url)
    yield made
    made.close()
