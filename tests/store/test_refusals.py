"""What an error of Postgres means, by its SQLSTATE: for everybody, or for what was sent."""

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from refresher.errors import DatabaseUnavailable
from refresher.store.refusals import Nature, is_stale, nature, nature_of, sentence
from refresher.store.session import Db
from tests.world import World

AWAY, NO_WRITES, VALUES = Nature.AWAY, Nature.NO_WRITES, Nature.VALUES
TABLE = [
    ("08000", AWAY), ("08006", AWAY), ("08P01", AWAY), ("28000", AWAY), ("28P01", AWAY),
    ("3D000", AWAY), ("53300", AWAY), ("55P03", AWAY), ("55006", AWAY), ("57014", AWAY),
    ("57P01", AWAY), ("57P02", AWAY), ("57P03", AWAY), ("57P05", AWAY), ("26000", AWAY),
    ("42P05", AWAY),
    ("25006", NO_WRITES), ("25P02", NO_WRITES), ("25P03", NO_WRITES), ("25P04", NO_WRITES),
    ("53000", NO_WRITES), ("53100", NO_WRITES), ("53200", NO_WRITES), ("53400", NO_WRITES),
    ("58000", NO_WRITES), ("58030", NO_WRITES), ("58P01", NO_WRITES), ("F0000", NO_WRITES),
    ("42501", NO_WRITES),
    ("42P01", Nature.NO_TABLES), ("42883", Nature.NO_TABLES), ("42703", Nature.OLDER_TABLES),
    ("23502", VALUES), ("23503", VALUES), ("23505", VALUES), ("23514", VALUES), ("22021", VALUES),
    ("22P05", VALUES), ("40001", VALUES), ("40P01", VALUES), ("44000", VALUES), ("54000", VALUES),
    ("P0001", VALUES), ("XX000", VALUES), ("XX001", VALUES), ("ZZ999", VALUES), ("0A000", VALUES),
]  # fmt: skip


@pytest.mark.parametrize(("sqlstate", "meant"), TABLE)
def test_an_sqlstate_says_whether_others_are_meant_too(sqlstate: str, meant: Nature) -> None:
    """Listed or not, each state has its nature; what nobody has listed is a matter of the values."""
    assert nature(sqlstate) is meant


@pytest.mark.parametrize("sqlstate", [state for state, _ in TABLE])
def test_the_class_that_the_driver_files_an_error_under_does_not_count(sqlstate: str) -> None:
    """Read-only is an internal error to psycopg, a missing database a programming error."""
    try:
        kind = psycopg.errors.lookup(sqlstate)
    except KeyError:
        kind = type("Unknown", (psycopg.DatabaseError,), {"sqlstate": sqlstate})
    assert nature_of(wrapped(kind("no"))) is dict(TABLE)[sqlstate]


@pytest.mark.parametrize("place", ["ExecWithCheckOptions", "exec_stmt_raise"])
def test_a_permission_that_one_row_lacks_is_that_rows_matter(place: str) -> None:
    """Row security and a trigger of the user's refuse a row; a revoked grant refuses the table."""
    assert nature("42501", place) is VALUES
    assert nature("42501", "aclcheck_error") is NO_WRITES


def test_a_plan_that_is_no_longer_good_is_the_sessions_matter() -> None:
    """`cached plan must not change result type` follows a migration: another session has no plan."""
    assert nature("0A000", "RevalidateCachedQuery") is AWAY


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (psycopg.OperationalError("connection refused"), AWAY),
        (psycopg.InterfaceError("the connection is closed"), AWAY),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), VALUES),
        (psycopg.ProgrammingError("cannot adapt type"), VALUES),
    ],
)
def test_an_error_that_never_was_at_a_server_is_told_by_its_kind(
    error: psycopg.Error, meant: Nature
) -> None:
    """Without SQLSTATE: no connection, or a value that the driver cannot send."""
    assert nature_of(wrapped(error)) is meant


def test_a_session_that_is_of_no_use_any_more_is_replaced(world: World) -> None:
    """Prepared statements that a pooler took away, a server that became a standby: the next is new."""
    database = world.services.database
    pids: set[object] = set()
    for state in ("26000", "25006"):
        with pytest.raises(DatabaseUnavailable), database.transaction() as db:
            refuse(db, state, pids)
    with database.transaction() as db:
        pids.add(db.exec_driver_sql("select pg_backend_pid()").scalar_one())
    assert len(pids) == 3
    assert not is_stale(psycopg.errors.CheckViolation("no"))


def test_a_sentence_shows_no_value() -> None:
    """The line of a violated constraint that quotes the row, with its ciphertexts, stays away."""
    violated = psycopg.errors.CheckViolation("violates check c\nDETAIL:  Failing row contains (x)")
    assert sentence(wrapped(violated)) == "23514: violates check c"
    assert sentence(UnicodeEncodeError("latin-1", "secret", 0, 1, "no")) == "UnicodeEncodeError"


def refuse(db: Db, sqlstate: str, pids: set[object]) -> None:
    """Notes the session, and has the server refuse something in it."""
    pids.add(db.exec_driver_sql("select pg_backend_pid()").scalar_one())
    db.exec_driver_sql(f"do $$ begin raise exception 'no' using errcode = '{sqlstate}'; end $$")


def wrapped(error: psycopg.Error) -> DBAPIError:
    """Returns the error as SQLAlchemy hands it on."""
    made = DBAPIError.instance(None, None, error, psycopg.Error)
    assert isinstance(made, DBAPIError)
    return made
