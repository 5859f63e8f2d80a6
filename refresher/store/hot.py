"""Statements that every refresh goes through: answered in binary form, and planned once.

In binary form neither side writes and reads forty columns as text. Only for types that psycopg can load
from it (not `xid8` or `numeric` of a kind it does not know).

Planned once: where a statement's plan is the same for all values, Postgres need not make it again for
each execution, which costs a look by primary key half of its time. By itself Postgres goes on making
it, because it takes an array whose length it knows for smaller than one that it does not know. So the
session is told before such a statement, and again before another one; both are rare, for a session
serves either refreshes or something else for a while.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import Format
from sqlalchemy import Connection, TextClause, text

_BINARY, _ONCE, _TELLING = "answers_in_binary", "planned_once", "tells_how_to_plan"
_TOLD = "plan_cache_mode"
PLAN_ONCE = "force_generic_plan"


def hot(sql: str, *, planned_once: bool = True) -> TextClause:
    """Returns a statement whose answer comes in binary form.

    `planned_once` False is for a statement whose best plan depends on its values.
    """
    return text(sql).execution_options(**{_BINARY: True, _ONCE: planned_once})


def prepare(
    db: Connection,
    cursor: psycopg.Cursor[Any],
    _sql: str,
    _values: object,
    context: Any,
    _many: object,
) -> None:
    """Called by SQLAlchemy before each statement."""
    options = context.execution_options if context is not None else {}
    if options.get(_TELLING):
        return
    if options.get(_BINARY):
        cursor.format = Format.BINARY
    wanted = PLAN_ONCE if options.get(_ONCE) else "auto"
    if db.info.get(_TOLD, "auto") != wanted:
        db.exec_driver_sql(f"set plan_cache_mode = {wanted}", execution_options={_TELLING: True})
        db.info[_TOLD] = wanted


def rolled_back(db: Connection) -> None:
    """Called by SQLAlchemy before a rollback, which takes back what the session was told in it."""
    driver = None if db.invalidated else db.connection.driver_connection
    if driver is not None and not driver.autocommit:
        db.info[_TOLD] = "unknown"
