"""Columns packed by ourselves arrive in Postgres as they were given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from refresher.store.binary import Array, bigints, byteas, doubles, instants, texts, uuids
from refresher.store.pool import Pool
from refresher.store.session import Database

NOON = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)
COLUMNS = [
    ("uuid", uuids, [UUID(int=0), UUID(int=2**128 - 1)]),
    ("bigint", bigints, [0, 1, -1, 2**63 - 1, -(2**63)]),
    ("bigint", bigints, [None, 7, None]),
    ("int", bigints, [0, None, 2**31 - 1]),
    ("smallint", bigints, [200, None]),
    ("float8", doubles, [0.0, -1.5, 1e300, 3600]),
    ("float8", doubles, [None, 0.1]),
    ("real", doubles, [0.25, None]),
    ("text", texts, ["", "a", 'a "quote", a \\ and {braces}', "NULL", "ä☃\n", None]),
    ("bytea", byteas, [b"", b"\x00\xff", None, b"x" * 70_000]),
    ("timestamptz", instants, [NOON, None, datetime(1970, 1, 1, tzinfo=UTC)]),
    ("timestamptz", instants, [NOON.astimezone(timezone(timedelta(hours=5.5)))]),
]
WITHOUT_VALUES = [
    (kind, pack, values)
    for kind, pack in dict.fromkeys(c[:2] for c in COLUMNS)
    for values in [(), (None,), (None, None)]
    if kind != "uuid" or not values  # an id is never null
]


@pytest.fixture(scope="module")
def database(module_database_url: str) -> Iterable[Database]:
    """A database of this module's own."""
    database = Pool(module_database_url)
    yield database
    database.close()


@pytest.mark.parametrize(("kind", "pack", "values"), COLUMNS, ids=[c[0] for c in COLUMNS])
def test_a_column_arrives_as_it_was_given(
    database: Database, kind: str, pack: Callable[[Iterable[Any]], Array], values: Sequence[Any]
) -> None:
    """Also nulls, both ends of the range, and what would need quotes in a text."""
    assert sent(database, kind, pack(values)) == list(values)


@pytest.mark.parametrize(("kind", "pack", "values"), WITHOUT_VALUES)
def test_nothing_and_only_nulls_are_columns_too(
    database: Database,
    kind: str,
    pack: Callable[[Iterable[Any]], Array],
    values: tuple[None, ...],
) -> None:
    """No value is there to tell its type by."""
    assert sent(database, kind, pack(values)) == list(values)


def sent(database: Database, kind: str, column: Array) -> list[Any]:
    """Returns what Postgres unpacks."""
    statement = text(
        f"select v from unnest(cast(:column as {kind}[])) with ordinality u(v, n) order by n"
    )
    with database.transaction() as db:
        return list(db.execute(statement, {"column": column}).scalars().all())
