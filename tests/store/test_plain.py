"""Sessions of the driver's own, for commands that look, and how URLs are written without SQLAlchemy."""

from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from refresher.errors import DatabaseNotMigrated, DatabaseUnavailable
from refresher.settings.database_url import canonical, parts, where
from refresher.store.plain import PlainDatabase
from refresher.store.pool import DatabaseError, Pool
from refresher.store.refusals import apart
from refresher.store.session import Database, first, many, one, run

ROWS = "select n, 'x' || n as word, '[1]'::jsonb as json from generate_series(1, :most) n"


@pytest.fixture(params=[Pool, PlainDatabase])
def database(request: pytest.FixtureRequest, module_database_url: str) -> Iterator[Database]:
    """A database as a process has it, and as a command that looks."""
    with closing(request.param(module_database_url)) as opened:
        yield opened


def test_an_answer_is_read_alike(database: Database):
    """Rows by name, by position and as columns; a value that no place names is left aside."""
    with database.transaction() as db:
        found = run(db, ROWS, most=2, unused=1)
        assert [(row.n, row.word, row[2]) for row in found] == [(1, "x1", [1]), (2, "x2", [1])]
        assert [dict(row) for row in run(db, ROWS, most=1).mappings()] == [
            {"n": 1, "word": "x1", "json": [1]}
        ]
        assert list(run(db, ROWS, most=2).scalars()) == [1, 2]
        assert run(db, ROWS, most=0).first() is None
        assert run(db, ROWS, most=0).scalar_one_or_none() is None
        assert run(db, ROWS, most=1).mappings().one()["word"] == "x1"
        assert run(db, "select '100%'::text, now()::date > '2020-01-01', 7").one()[2] == 7
        assert (one(db, int, "select 7"), first(db, str, "select null")) == (7, None)
        assert many(db, float, "select 1.5 union all select null") == [1.5, None]


def test_what_fails_is_told_alike_and_undone(database: Database):
    """A value that Postgres refuses, tables that are missing, and a block that is undone by itself."""
    with pytest.raises(DatabaseError, match="invalid input syntax"), database.transaction() as db:
        run(db, "select cast(:a as int)", a="x")
    with pytest.raises(DatabaseNotMigrated), database.transaction() as db:
        run(db, "select * from no_such_table")
    met: list[Exception] = []
    with database.transaction() as db:
        with apart(db, met.append):
            run(db, "select 1 / 0")
        assert one(db, int, "select 1") == 1
    assert len(met) == 1


def test_a_transaction_knows_its_settings_and_ends_with_an_error(database: Database):
    """It is told its time-outs and time zone; what an error met is not there afterwards."""
    with database.transaction(snapshot=True) as db:
        assert one(db, str, "show transaction_isolation") == "repeatable read"
        assert one(db, str, "show statement_timeout") == "10s"
        assert one(db, str, "show timezone") == "UTC"
    with suppress(ZeroDivisionError), database.transaction() as db:
        run(db, "create table left_behind ()")
        raise ZeroDivisionError
    with database.reading() as db:
        assert one(db, bool, "select to_regclass('left_behind') is null")


def test_a_session_that_broke_while_it_rested_is_replaced(module_database_url: str):
    """As after a failover: the next transaction gets another one."""
    with closing(PlainDatabase(module_database_url)) as database:
        with database.transaction() as db:
            number = one(db, int, "select pg_backend_pid()")
        plain = module_database_url.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", [number])
        with database.transaction() as db:
            assert one(db, int, "select pg_backend_pid()") != number


def test_a_server_that_is_away_is_told_without_the_password():
    """The sentence is that of every other process."""
    database = PlainDatabase("postgresql+psycopg://u:secret@127.0.0.1:1/d")
    with pytest.raises(DatabaseUnavailable, match="cannot be used") as told, database.transaction():
        pass
    assert "u:***@127.0.0.1:1/d" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://u:p%40w%2Fx%20y+z@h:5433/db?sslmode=require&options=-c%20search_path%3Dx",
        "postgres:///db", "postgresql://u@[::1]:55/d", "postgresql://u:p@a:1,b:2/d",
        "postgresql:///d?host=/var/run/pg&port=5", "postgresql://u@/d?host=a:1&host=b:2",
        "postgresql://", "postgresql://u:%25%26@h/a%20b",
    ],
)  # fmt: skip
def test_a_canonical_url_means_the_same_to_libpq_and_to_sqlalchemy(given: str):
    """Whoever opens the session, it leads to the same place with the same options."""
    made = canonical(given)
    arguments = PGDialect_psycopg().create_connect_args(make_url(made))[1]
    theirs = {name: str(value) for name, value in arguments.items() if name != "context"}
    assert parts(made) == parts(given) == theirs
    assert where(made).startswith("postgresql://")
