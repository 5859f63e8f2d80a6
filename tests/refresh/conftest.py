"""What serves tokens in the tests' process."""

from collections.abc import Iterator

import pytest

from refresher.refresh.on_demand import OnDemand
from tests.world import World


@pytest.fixture
def on_demand(world: World) -> Iterator[OnDemand]:
    """What serves tokens in this process."""
    made = OnDemand(world.services)
    yield made
    made.close()
