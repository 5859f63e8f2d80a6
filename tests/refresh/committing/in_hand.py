"""Many replies, in hand at one instant, and what must have become of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from uuid import UUID

from refresher.errors import DatabaseUnavailable
from refresher.refresh.recovery import sweep_stalled
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime.liveness import Watch
from refresher.testing.history import check_history
from tests.waiting import wait_until
from tests.world import World, granted

MANY = 10


def rotated(request: TokenRequest) -> Reply:
    """Grants a pair that tells whose it is."""
    old = request.parameters["refresh_token"]
    return granted(access_token=f"new-access-{old}", refresh_token=f"new-{old}", expires_in=3600)


@contextmanager
def in_hand(
    world: World,
    begin: Callable[[], object],
    provider: Callable[[TokenRequest], Reply] = rotated,
) -> Iterator[list[UUID]]:
    """Refreshes many at once; `begin` is called when the last reply is in hand.

    Leaves when the refresh has ended, which may be what the block brings about.
    """
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(MANY)]
    claims = world.claim()
    counted = threading.Lock()
    answered = Counter[str]()

    def answer(request: TokenRequest) -> Reply:
        reply = provider(request)
        with counted:
            answered["all"] += 1
            if answered["all"] == MANY:
                begin()
        return reply

    world.script.answer = answer
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(refresh, world.services, claims)
        yield ids
        under_way.result(60)


def all_spooled(world: World) -> bool:
    """Whether each reply in hand is on the disk."""
    return len(world.services.spool.entries()) == MANY


def sweep_until_stored(world: World) -> None:
    """Sweeps as the scheduler does, again where Postgres refuses, until the spool is empty."""

    def done() -> bool:
        with suppress(DatabaseUnavailable):  # a session that began before the fault ended
            sweep_stalled(world.services, Watch())
        return not world.services.spool.entries()

    wait_until(done, 30, lambda: f"{len(world.services.spool.entries())} are not stored")


def assert_all_stored(world: World, ids: list[UUID]) -> None:
    """Each has the pair that it was sent, and none was presented twice."""
    for n, id_ in enumerate(ids):
        assert world.token(id_, "refresh_token") == f"new-refresh-of-c{n}"
        assert (world.row(id_).state, world.row(id_).status) == (0, "active")
    assert len(world.script.asked) == MANY
    assert check_history(world.services.database) == []
