"""Statements that every refresh goes through: sent by the driver, answered in binary, planned once.

Sent by the driver itself: SQLAlchemy's own work on them is 3 % of a refresh. The transaction around
them is SQLAlchemy's, like every other.

In binary form neither side writes and reads forty columns as text. Only for types that psycopg can load
from it (not `xid8` or `numeric` of a kind it does not know).

Planned once: where a statement's plan is the same for all values, Postgres need not make it again for
each execution, which costs a look by primary key half of its time. By itself Postgres goes on making
it, because it takes an array whose length it knows for smaller than one that it does not know. So the
session is told before such a statement, and again before another one; both are rare, for a session
serves either refreshes or something else for a while.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection

_TELLING, _TOLD = "tells_how_to_plan", "plan_cache_mode"
PLANS_ARE_KEPT = "plans_are_kept"
"""The execution option that is false where a session is not ours, so that nothing is prepared in it."""
AS_ALWAYS, PLAN_ONCE = "auto", "force_generic_plan"
Row = tuple[Any, ...]
_VALUE = re.compile(r"(?<!:):(\w+)")  # and no cast like `::float8`


class Hot(NamedTuple):
    """A statement: as it is written, with `:name` for a value, and as the driver takes it."""

    text: str
    sql: bytes
    plan: str


def statement(text: str, *, planned_once: bool = True) -> Hot:
    """Returns a statement; `planned_once` False where its best plan depends on its values."""
    sql = _VALUE.sub(r"%(\1)s", text.replace("%", "%%"))
    return Hot(text, sql.encode(), PLAN_ONCE if planned_once else AS_ALWAYS)


def rows(db: Connection, hot: Hot, values: Mapping[str, object]) -> list[Row]:
    """Executes it in the transaction of `db` and returns its rows; raises `psycopg.Error`."""
    return answer(db, hot, values).fetchall()


def answer(db: Connection, hot: Hot, values: Mapping[str, object]) -> psycopg.Cursor[Row]:
    """Executes it and returns the cursor, which also knows the columns' names and how many rows."""
    _tell(db, hot.plan)
    driver: Any = db.connection.driver_connection
    cursor: psycopg.Cursor[Row] = driver.cursor(binary=True)
    return cursor.execute(hot.sql, values)


def before_others(
    db: Connection,
    _cursor: object,
    sql: str,
    _values: object,
    context: Any,
    _many: object,
) -> None:
    """Called by SQLAlchemy before each statement of its own."""
    if sql.startswith("ROLLBACK TO"):  # after an error Postgres takes nothing else
        return
    if context is None or not context.execution_options.get(_TELLING):
        _tell(db, AS_ALWAYS)


def rolled_back(db: Connection, *_savepoint: object) -> None:
    """Called by SQLAlchemy before a rollback, which takes back what the session was told in it."""
    driver = None if db.invalidated else db.connection.driver_connection
    if driver is not None and not driver.autocommit:
        db.info[_TOLD] = "unknown"


def _tell(db: Connection, wanted: str) -> None:
    if db.info.get(_TOLD, AS_ALWAYS) == wanted:
        return
    if db.get_execution_options().get(PLANS_ARE_KEPT, True):
        db.exec_driver_sql(f"set plan_cache_mode = {wanted}", execution_options={_TELLING: True})
        db.info[_TOLD] = wanted
