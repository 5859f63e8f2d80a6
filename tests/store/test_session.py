"""The pool of connections to Postgres."""

import pytest
from sqlalchemy import text

from refresher.errors import DatabaseUnavailable
from refresher.store import pool
from tests.store.sessions import end_sessions
from tests.world import World


def test_a_connection_that_died_while_it_rested_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """After a rest, a dead connection is noticed before it is used."""
    database = world.services.database
    with database.transaction() as db:
        db.execute(text("select 1"))
    monkeypatch.setattr(pool, "PING_AFTER_SECONDS", 0.0)
    assert end_sessions(database) >= 1
    with database.transaction() as db:
        assert db.execute(text("select 1")).scalar_one() == 1


def test_a_busy_connection_that_died_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch):
    """In the middle of work nothing is asked first: one error says that Postgres was away."""
    monkeypatch.setattr(pool, "PING_AFTER_SECONDS", 3600.0)
    database = world.services.database
    with database.transaction() as db:
        db.execute(text("select 1"))
    end_sessions(database)
    with pytest.raises(DatabaseUnavailable), database.transaction() as db:
        db.execute(text("select 1"))
    with database.transaction() as db:
        assert db.execute(text("select 1")).scalar_one() == 1
