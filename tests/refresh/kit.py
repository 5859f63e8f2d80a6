"""Short words for what tests of refresh on demand do."""

import threading
from uuid import UUID

import pytest

from refresher.errors import TokenUnavailable
from refresher.refresh.on_demand import OnDemand
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.rules.served import Served
from refresher.store import state_changes
from tests.world import World


class Gate:
    """A provider that answers when it is told to."""

    def __init__(self, world: World) -> None:
        self._answer = world.script.rotate
        self.asked, self.opened = threading.Event(), threading.Event()
        world.script.answer = self

    def __call__(self, request: TokenRequest) -> Reply:
        """Waits in the exchange's own thread."""
        self.asked.set()
        assert self.opened.wait(30)
        return self._answer(request)


def refusal(on_demand: OnDemand, connection: UUID, **how: object) -> TokenUnavailable:
    """Returns the error that asking for a token ends in."""
    with pytest.raises(TokenUnavailable) as raised:
        on_demand.fresh_token(connection, **how)  # type: ignore[arg-type]
    return raised.value


def text(served: Served) -> str:
    """Returns the token in the clear."""
    return served.access_token.reveal()


def stop(world: World, connection: UUID, how: str) -> None:
    """Pauses, disables or deletes a connection."""
    with world.services.database.transaction() as db:
        state_changes.stop(db, connection, how)
