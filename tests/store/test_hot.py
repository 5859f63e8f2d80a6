"""Statements of every refresh: planned once, and without any effect on the others."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import TextClause, text

from refresher.store.hot import hot
from refresher.store.session import Database, Db

HOT = hot("select current_setting('plan_cache_mode') from connection where id is null or :n > 0")
MODE = hot("select current_setting('plan_cache_mode')")
USUAL_MODE = text("select current_setting('plan_cache_mode')")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A pool of one session."""
    made = Database(database_url, pool_size=1)
    yield made
    made.close()


def plans(db: Db) -> tuple[int, int]:
    """How often the statement was planned for all values, and for its own."""
    found = db.execute(
        text(
            "select generic_plans, custom_plans from pg_prepared_statements "
            "where statement like '%id is null or%'"
        )
    )
    generic, custom = found.one()
    return generic, custom


def test_it_is_planned_once(database: Database):
    """Postgres makes one plan for all executions, in however many transactions."""
    for n in range(12):
        with database.transaction() as db:
            db.execute(HOT, {"n": n})
    with database.transaction() as db:
        generic, custom = plans(db)
    assert generic >= 5
    assert custom == 0


def test_other_statements_are_planned_as_always(database: Database):
    """Before and after it, in the same transaction and in the next."""
    with database.transaction() as db:
        assert db.execute(USUAL_MODE).scalar_one() == "auto"
        assert db.execute(MODE).scalar_one() == "force_generic_plan"
        assert db.execute(USUAL_MODE).scalar_one() == "auto"
        assert db.execute(MODE).scalar_one() == "force_generic_plan"
    with database.reading() as db:
        assert db.execute(USUAL_MODE).scalar_one() == "auto"


def test_one_whose_plan_depends_on_its_values_is_one_of_them(database: Database):
    """It is answered in binary, and planned as always."""
    with database.transaction() as db:
        mode = db.execute(hot("select current_setting('plan_cache_mode')", planned_once=False))
        assert mode.scalar_one() == "auto"


def give_up(database: Database, statement: TextClause) -> None:
    """Executes a statement in a transaction that is rolled back."""
    with suppress(ZeroDivisionError), database.transaction() as db:
        db.execute(statement)
        raise ZeroDivisionError


def test_a_rollback_is_noticed(database: Database):
    """What the session was told in a transaction is gone with it, and told again."""
    give_up(database, MODE)
    with database.transaction() as db:
        assert db.execute(MODE).scalar_one() == "force_generic_plan"
    give_up(database, USUAL_MODE)
    with database.transaction() as db:
        assert db.execute(USUAL_MODE).scalar_one() == "auto"


def test_a_session_that_only_reads_is_told_once(database: Database):
    """Reading outside of transactions tells it nothing twice."""
    for _ in range(3):
        with database.reading() as db:
            assert db.execute(MODE).scalar_one() == "force_generic_plan"
            assert db.info["plan_cache_mode"] == "force_generic_plan"
    with database.reading() as db:
        assert db.info["plan_cache_mode"] == "force_generic_plan"
