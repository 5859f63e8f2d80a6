"""The pool of connections to Postgres."""

import pytest
from sqlalchemy import text

from refresher.errors import DatabaseUnavailable
from refresher.store import session
from refresher.store.session import Database
from tests.world import World


def _end_idle_sessions(database: Database) -> int:
    """Has Postgres end every pooled session but the one that asks."""
    ended = text(
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    other = Database(database.url)
    try:
        with other.transaction() as db:
            return int(db.execute(ended).scalar_one())
    finally:
        other.close()


def test_a_connection_that_died_while_it_rested_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """After a rest, a dead connection is noticed before it is used."""
    database = world.services.database
    with database.transaction() as db:
        db.execute(text("select 1"))
    monkeypatch.setattr(session, "PING_AFTER_SECONDS", 0.0)
    assert _end_idle_sessions(database) >= 1
    with database.transaction() as db:
        assert db.execute(text("select 1")).scalar_one() == 1


def test_a_busy_connection_that_died_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch):
    """In the middle of work nothing is asked first: one error says that Postgres was away."""
    monkeypatch.setattr(session, "PING_AFTER_SECONDS", 3600.0)
    database = world.services.database
    with database.transaction() as db:
        db.execute(text("select 1"))
    _end_idle_sessions(database)
    with pytest.raises(DatabaseUnavailable), database.transaction() as db:
        db.execute(text("select 1"))
    with database.transaction() as db:
        assert db.execute(text("select 1")).scalar_one() == 1
