"""Rows that are copied into a table: each value comes back as it was given."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from refresher.store import copying
from refresher.store.pool import Pool

COLUMNS = {
    "id": "uuid primary key", "words": "text", "more": "text[]", "bytes": "bytea", "number": "float8",
    "flag": "boolean", "at": "timestamptz", "noted": "jsonb", "never": "text",
}  # fmt: skip
ODD = ["", "\\N", "\\.", "a\tb\nc\rd\\", "null", '"{},\\"', "\N{SNOWMAN}\x0b\x08", " "]
INSTANTS = [
    datetime(2026, 12, 31, 23, 59, 59, 123_456, UTC),
    datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
]


def rows() -> list[tuple[Any, ...]]:
    """A row of nulls, and one for each odd text."""
    found: list[tuple[Any, ...]] = [(UUID(int=0), *[None] * 8)]
    for number, odd in enumerate(ODD, start=1):
        more = ODD[:number] if number > 1 else []
        value = (
            odd,
            more,
            odd.encode(),
            number / 3,
            number % 2 == 0,
            INSTANTS[number % 2],
            "{}",
            None,
        )
        found.append((UUID(int=number), *value))
    return found


@pytest.mark.parametrize("given", [rows(), []])
def test_what_is_copied_comes_back(database_url: str, given: list[tuple[Any, ...]]):
    """Texts that mean something to COPY, to arrays, or to SQL mean nothing; nor does an empty one."""
    database = Pool(database_url)
    names = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with database.transaction() as db:
        db.execute(text(f"create temporary table copied ({names}) on commit drop"))
        copying.copy(db, "copied", COLUMNS, given)
        found = [tuple(row) for row in db.execute(text("select * from copied order by id"))]
    database.close()
    expected = [tuple({} if value == "{}" else value for value in row) for row in given]
    assert found == expected
