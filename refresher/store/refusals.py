"""What an error of the driver means: Postgres is away, takes no writes, lacks our tables, or a value.

By SQLSTATE alone, never by the driver's class: psycopg files a read-only transaction under internal
errors, a missing database under programming errors. What is not listed is held for a matter of the
values that were sent, which never costs anything: whoever holds a token pair tries each row alone
then, and spools what is refused (`commit.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import TransactionStatus

from refresher.errors import (
    DatabaseNotMigrated,
    DatabaseRefusesWrites,
    DatabaseUnavailable,
    RefresherError,
)
from refresher.rules.masking import mask
from refresher.settings.database_url import where
from refresher.store.db import Db

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError


class Nature(StrEnum):
    """What is the matter: the server or the session, all writes, the tables, or what was sent."""

    AWAY = "away"
    NO_WRITES = "no writes"
    NO_TABLES = "no tables"
    OLDER_TABLES = "older tables"
    VALUES = "values"


_BY_STATE = {
    "3D000": Nature.AWAY,  # the database does not exist (any more, or yet)
    "42501": Nature.NO_WRITES,  # permission denied for a table
    "42P01": Nature.NO_TABLES,
    "42883": Nature.NO_TABLES,
    "42703": Nature.OLDER_TABLES,
    "26000": Nature.AWAY,  # a pooler gave our session away: prepared statements are gone,
    "42P05": Nature.AWAY,  # or are somebody else's
    "55P03": Nature.AWAY,  # our own lock time-out
    "55006": Nature.AWAY,  # in use, such as a database that is being copied
    "53300": Nature.AWAY,  # too many connections
}
_BY_CLASS = {
    "08": Nature.AWAY,  # connection
    "28": Nature.AWAY,  # refused: password, role, pg_hba
    "25": Nature.NO_WRITES,  # read-only; a transaction that was ended for its age
    "53": Nature.NO_WRITES,  # resources: disk full, out of memory, a configured limit
    "57": Nature.AWAY,  # shutting down, and our own statement time-out: it does not keep up
    "58": Nature.NO_WRITES,  # its disk
    "F0": Nature.NO_WRITES,  # its configuration
}
_OF_ONE_ROW = {"ExecWithCheckOptions", "exec_stmt_raise"}
"""Where Postgres says "permission denied" of one row: row security, a trigger."""
_PASSING = {"40001", "40P01"}  # serialization failure, deadlock detected
_OVERTAKEN = "ExecPartitionCheckEmitError"
"""Where Postgres says that a row on its way to the default partition was overtaken by its own."""
_STALE_PLAN = "RevalidateCachedQuery"
_STALE_SESSION = {"26000", "42P05", "25006", "25P02"}


def nature(sqlstate: str, source_function: str | None = None) -> Nature:
    """Returns what an error that the server reported is about.

    `source_function` is the place in Postgres that raised it, as the server tells it.
    """
    if sqlstate == "42501" and source_function in _OF_ONE_ROW:
        return Nature.VALUES
    if sqlstate == "0A000" and source_function == _STALE_PLAN:
        return Nature.AWAY
    return _BY_STATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2]) or Nature.VALUES


def driver_error(error: BaseException) -> BaseException:
    """Returns the driver's own error, also where SQLAlchemy has wrapped it."""
    return getattr(error, "orig", None) or error


def nature_of(error: BaseException) -> Nature:
    """Returns what an error of the driver is about; one without SQLSTATE was never at a server."""
    cause = driver_error(error)
    state = getattr(cause, "sqlstate", None)
    if getattr(error, "connection_invalidated", False):
        return Nature.AWAY
    if state is not None:
        return nature(state, _source_function(cause))
    no_connection = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return Nature.AWAY if no_connection else Nature.VALUES


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may well succeed when it is tried again at once."""
    cause = driver_error(error)
    state = getattr(cause, "sqlstate", None)
    return state in _PASSING or (state == "23514" and _source_function(cause) == _OVERTAKEN)


def is_stale(error: BaseException) -> bool:
    """Whether the session cannot be used again: after a failover or behind a pooler, another one may.

    A session on a server that has become a standby stays there; the name may lead to the new primary.
    """
    cause = driver_error(error)
    state = getattr(cause, "sqlstate", None)
    return state in _STALE_SESSION or (state == "0A000" and _source_function(cause) == _STALE_PLAN)


def sentence(error: BaseException) -> str:
    """Returns why, in one line that shows no value: Postgres tells those in the lines after it."""
    if isinstance(error, RefresherError):
        return str(error)
    cause = driver_error(error)
    if not isinstance(cause, psycopg.Error):
        return type(cause).__name__
    state = f"{cause.sqlstate}: " if cause.sqlstate else ""
    return mask(f"{state}{first_line(cause)}")


def refusal(error: BaseException) -> str | None:
    """Returns a sentence for what the database refuses, without our statement; None for a bug."""
    from sqlalchemy.exc import ArgumentError, DBAPIError  # noqa: PLC0415  for who met an error alone

    if isinstance(error, ArgumentError):
        return "DATABASE_URL is not a URL that can be read"
    if isinstance(error, UnicodeError):
        return "it holds a character that the database cannot take"
    if not isinstance(error, DBAPIError):
        return None
    return f"the database refuses: {first_line(error.orig)}"


def first_line(error: BaseException | None) -> str:
    """Returns the first line of what the driver says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def as_told(error: DBAPIError | psycopg.Error, url: str) -> Exception:
    """Returns what leaves this package for an error: `DatabaseError`, or a sentence about Postgres.

    The driver's own errors are those of hot statements (`binary.py`).
    """
    return _unavailable(error, url) or _wrapped(error)


def _wrapped(error: DBAPIError | psycopg.Error) -> DBAPIError:
    if not isinstance(error, psycopg.Error):
        return error
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  as above

    made = DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True)
    return cast("DBAPIError", made)


def _unavailable(
    error: DBAPIError | psycopg.Error, url: str
) -> DatabaseUnavailable | DatabaseNotMigrated | None:
    """Returns the sentence for an error that means Postgres is away or has no tables, else None."""
    place, cause = where(url), driver_error(error)
    match nature_of(error):
        case Nature.AWAY:
            return DatabaseUnavailable(f"{place} cannot be used: {first_line(cause)}")
        case Nature.NO_WRITES:
            return DatabaseRefusesWrites(f"{place} takes no writes: {first_line(cause)}")
        case Nature.NO_TABLES:
            return DatabaseNotMigrated(f"{place} has no refresher tables: run `refresher migrate`")
        case Nature.OLDER_TABLES:
            return DatabaseNotMigrated(f"{place} has older tables: run `refresher migrate`")
        case Nature.VALUES:
            return None


@contextmanager
def apart(db: Db, failed: Callable[[Exception], None]) -> Iterator[None]:
    """Has what the block does undone on an error, of which `failed` is told; the transaction goes on.

    Raises what ends the whole of it (the server is away, the session is of no use), and a deadlock,
    after which all is tried again.
    """
    try:
        with db.begin_nested():
            yield
    except Exception as error:
        if is_passing(error) or is_stale(error) or not _goes_on(db):
            raise
        failed(error)


def _goes_on(db: Db) -> bool:
    if db.closed or db.invalidated:
        return False
    driver: Any = db.connection.driver_connection
    return bool(driver.info.transaction_status == TransactionStatus.INTRANS)


def _source_function(cause: BaseException | None) -> str | None:
    return cause.diag.source_function if isinstance(cause, psycopg.Error) else None
