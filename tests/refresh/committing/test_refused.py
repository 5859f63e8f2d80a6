"""Whatever Postgres refuses while rotated replies are in hand, every pair is stored in the end.

The fault begins when all replies have come and ends when all pairs lie in the spool, sealed. Nobody
presents a spent token meanwhile, and nobody need do anything afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from refresher.errors import DatabaseNotMigrated, DatabaseUnavailable
from refresher.refresh.recovery import sweep_stalled
from refresher.runtime.liveness import Watch
from tests.refresh.committing.faults import FAULTS
from tests.refresh.committing.in_hand import (
    all_spooled,
    assert_all_stored,
    in_hand,
    sweep_until_stored,
)
from tests.waiting import wait_until
from tests.world import World

QUICK = {"read-only", "permission", "constraint", "53100"}


@pytest.mark.parametrize(
    "fault", [pytest.param(f, marks=[] if f in QUICK else pytest.mark.slow) for f in FAULTS]
)
def test_what_postgres_refuses_is_stored_when_it_takes_it(
    world: World, admin: psycopg.Connection[Any], fault: str
) -> None:
    """M16: held or spooled, whatever the SQLSTATE; swept meanwhile, and presented to nobody."""
    begin, end = FAULTS[fault]
    with in_hand(world, partial(begin, admin)) as ids:
        # What is refused for itself is tried and written to the disk one by one: a busy one is slow.
        wait_until(lambda: all_spooled(world), 180, lambda: spooled(world))
        world.pass_time(world.services.settings.attempt_timeout_seconds + 1)
        try_to_sweep(world)
        end(admin)
    sweep_until_stored(world)
    assert_all_stored(world, ids)


def spooled(world: World) -> str:
    """Tells how many replies are on the disk."""
    return f"{len(world.services.spool.entries())} are spooled"


def try_to_sweep(world: World) -> None:
    """Sweeps and looks for what is due, where Postgres lets us."""
    with suppress(DatabaseUnavailable, DatabaseNotMigrated):
        sweep_stalled(world.services, Watch())
        assert world.claim() == []


def prepare_everything(world: World) -> None:
    """Has the driver prepare each statement at its first execution."""
    event.listen(world.services.database.engine, "connect", _prepare_at_once)


def _prepare_at_once(connection: Any, _record: object) -> None:
    connection.prepare_threshold = 0


def in_all_sessions(world: World, change: Callable[[Any], object]) -> None:
    """Does something to every session that rests in the pool, as another client of a pooler does."""
    pool: Any = world.services.database.engine.pool
    sessions = [pool.connect() for _ in range(pool.checkedin())]
    for session in sessions:
        change(session.driver_connection)
        session.close()


def forget_statements(connection: Any) -> None:
    """Takes the prepared statements away, without the driver's knowledge: 26000."""
    connection.pgconn.exec_(b"deallocate all")


def take_names(connection: Any) -> None:
    """Gives the names that the driver takes next to other statements: 42P05."""
    for n in range(200):
        connection.pgconn.exec_(f"prepare _pg3_{n} as select 1".encode())


@pytest.mark.parametrize("change", [forget_statements, take_names])
def test_a_pooler_that_mixes_sessions_up_costs_no_pair(
    world: World, change: Callable[[Any], object]
) -> None:
    """A prepared statement is gone, or another's: the session is replaced, the pairs are stored."""
    prepare_everything(world)
    world.connect("warm", expires_in=3600)
    with in_hand(world, lambda: in_all_sessions(world, change)) as ids:
        pass
    sweep_until_stored(world)
    world.services.database.engine.dispose()  # and with it the sessions that nobody has used since
    assert_all_stored(world, ids)
