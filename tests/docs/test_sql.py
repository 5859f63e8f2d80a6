"""The SQL of the pages runs, on a database as `refresher migrate` leaves it."""

from __future__ import annotations

import re

import psycopg

from tests.docs.blocks import PAGES, blocks


def test_the_sql_of_the_pages_runs(database_url: str) -> None:
    """Each block by a superuser, in a transaction that is taken back; `reader` is somebody's role."""
    found = [one for page in PAGES for one in blocks(page) if one.language == "sql"]
    assert found
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("create role reader")
        where = connection.execute("select schemaname from pg_views where viewname = 'due'")
        (schema,) = where.fetchone() or ("nowhere",)  # the tests' own is another than a new one's
        for block in found:
            connection.execute(re.sub(r"\brefresher\b", str(schema), block.text).encode())
        connection.rollback()
