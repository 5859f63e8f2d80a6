"""Statements of every refresh: planned once, and without any effect on the others."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from sqlalchemy import text

from refresher.errors import DatabaseUnavailable
from refresher.store import binary
from refresher.store.pool import DatabaseError, Pool
from refresher.store.session import Database, Db
from tests.store.sessions import end_sessions

HOT = binary.statement(
    "select current_setting('plan_cache_mode') from connection where id is null or :n > 0"
)
MODE = binary.statement("select current_setting('plan_cache_mode')")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A pool of one session."""
    made = Pool(database_url, pool_size=1)
    yield made
    made.close()


def mode_of(db: Db) -> str:
    """How Postgres is told to plan a hot statement."""
    return str(binary.rows(db, MODE, {})[0][0])


def usual_mode_of(db: Db) -> str:
    """How Postgres is told to plan another statement."""
    return str(db.execute(text(MODE.text)).scalar_one())


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
            binary.rows(db, HOT, {"n": n})
    with database.transaction() as db:
        generic, custom = plans(db)
    assert generic >= 5
    assert custom == 0


def test_other_statements_are_planned_as_always(database: Database):
    """Before and after it, in the same transaction and in the next."""
    with database.transaction() as db:
        assert usual_mode_of(db) == "auto"
        assert mode_of(db) == "force_generic_plan"
        assert usual_mode_of(db) == "auto"
        assert mode_of(db) == "force_generic_plan"
    with database.reading() as db:
        assert usual_mode_of(db) == "auto"


def test_one_whose_plan_depends_on_its_values_is_one_of_them(database: Database):
    """It is answered in binary, and planned as always."""
    with database.transaction() as db:
        as_always = binary.statement(MODE.text, planned_once=False)
        assert binary.rows(db, as_always, {}) == [("auto",)]


def give_up(database: Database, execute: Callable[[Db], object]) -> None:
    """Executes a statement in a transaction that is rolled back."""
    with suppress(ZeroDivisionError), database.transaction() as db:
        execute(db)
        raise ZeroDivisionError


def test_a_rollback_is_noticed(database: Database):
    """What the session was told in a transaction is gone with it, and told again."""
    give_up(database, mode_of)
    with database.transaction() as db:
        assert mode_of(db) == "force_generic_plan"
    give_up(database, usual_mode_of)
    with database.transaction() as db:
        assert usual_mode_of(db) == "auto"


def test_a_session_that_only_reads_is_told_once(database: Database):
    """Reading outside of transactions tells it nothing twice."""
    for _ in range(3):
        with database.reading() as db:
            assert mode_of(db) == "force_generic_plan"
            assert db.info["plan_cache_mode"] == "force_generic_plan"
    with database.reading() as db:
        assert db.info["plan_cache_mode"] == "force_generic_plan"


def test_values_are_named_as_in_every_statement(database: Database):
    """A cast is no value, nor does a per cent sign begin one."""
    with database.transaction() as db:
        found = binary.rows(
            db,
            binary.statement("select :n::int8 % 5, cast(:many as int[]), 'a%b' like 'a%'"),
            {"n": 7, "many": [1, 2]},
        )
    assert found == [(2, [1, 2], True)]


def test_an_error_leaves_as_one_of_the_database(database: Database):
    """As from every other statement; and the session goes on."""
    with pytest.raises(DatabaseError) as raised, database.transaction() as db:
        binary.rows(db, binary.statement("select cast(:word as uuid)"), {"word": "no-id"})
    assert getattr(raised.value.orig, "sqlstate", None) == "22P02"
    with database.transaction() as db:
        assert mode_of(db) == "force_generic_plan"


def test_a_session_that_ends_under_a_statement_is_replaced(database: Database):
    """Who was in the middle is told that Postgres is away; the next one finds another session."""

    def with_its_session_ended() -> None:
        with database.transaction() as db:
            mode_of(db)
            end_sessions(database)
            mode_of(db)

    with pytest.raises(DatabaseUnavailable):
        with_its_session_ended()
    with database.transaction() as db:
        assert mode_of(db) == "force_generic_plan"
