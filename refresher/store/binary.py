"""Statements whose answers come in Postgres' binary form: those that every refresh goes through.

Neither side writes and reads forty columns as text then. Only for types that psycopg can load from it
(not `xid8` or `numeric` of a kind it does not know), so it is asked for, statement by statement.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import Format
from sqlalchemy import TextClause, text

_OPTION = "answers_in_binary"


def binary(sql: str) -> TextClause:
    """Returns a statement whose answer comes in binary form."""
    return text(sql).execution_options(**{_OPTION: True})


def ask_for_binary(
    _db: object,
    cursor: psycopg.Cursor[Any],
    _sql: str,
    _values: object,
    context: Any,
    _many: object,
) -> None:
    """Called by SQLAlchemy before each statement."""
    if context is not None and context.execution_options.get(_OPTION):
        cursor.format = Format.BINARY
