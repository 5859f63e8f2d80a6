"""Puts many rows into a table at once: `COPY`, its text made a column at a time.

psycopg's own `write_row` finds out the type of each value anew, and writes the nulls too. Here the
columns' types are told once, and a column in which there is nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.store.session import Db

_NULL = "\\N"
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_QUOTED, _ESCAPED = re.compile(r'(["\\])'), r"\\\1"


def copy(db: Db, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> None:
    """Writes rows into an empty table of our own, each in the order of `columns`: name and SQL type."""
    names: list[str] = []
    texts: list[list[str]] = []
    for (name, kind), values in zip(columns.items(), zip(*rows, strict=True), strict=False):
        if any(value is not None for value in values):
            told = _FORMS[kind.split()[0]]
            names.append(name)
            texts.append([_NULL if value is None else told(value) for value in values])
    if not names:
        return
    whole = "\n".join(map("\t".join, zip(*texts, strict=True)))
    driver: Any = db.connection.driver_connection
    sql = f"copy {table} ({', '.join(names)}) from stdin"
    with driver.cursor() as cursor, cursor.copy(sql) as sending:
        sending.write(f"{whole}\n")


def _text(value: str) -> str:
    if _SPECIAL.search(value):
        return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)
    return value


def _texts(values: Iterable[str]) -> str:
    quoted = (f'"{_QUOTED.sub(_ESCAPED, value)}"' for value in values)
    return _text("{" + ",".join(quoted) + "}")


def _uuid(value: UUID) -> str:
    return value.hex


def _bytes(value: bytes) -> str:
    return "\\\\x" + value.hex()


def _instant(value: datetime) -> str:
    return value.isoformat(" ")


def _boolean(value: bool) -> str:  # noqa: FBT001  a value to be told
    return "t" if value else "f"


_FORMS: Mapping[str, Callable[[Any], str]] = {
    "uuid": _uuid,
    "text": _text,
    "jsonb": _text,
    "bytea": _bytes,
    "float8": repr,
    "boolean": _boolean,
    "timestamptz": _instant,
    "text[]": _texts,
}
"""How a value of each SQL type that we write is told."""
