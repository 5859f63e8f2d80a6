"""Millions of connections in a database, stored in pieces, to go on with after an end in between."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from refresher.rules.connection import connection_id
from refresher.store import migrate, table_forms

CHUNK = 250_000
_STORE = """
    with new as (
        insert into connection (id, organization_id, provider, external_id, access_token, refresh_token)
        select id, 'bench', 'bench', n::text, decode(repeat('ab', 153), 'hex'),
            decode(repeat('cd', 97), 'hex')
        from pg_temp.seed order by id returning id
    )
    insert into refresh_schedule (connection_id, provider, due_at)
    select id, 'bench', now() + interval '1 day' + random() * interval '50 minutes' from new
"""


def database(server: str, name: str) -> str:
    """Returns the URL of a migrated database on the server."""
    if not _exists(server, name):
        with psycopg.connect(server, autocommit=True) as db:
            db.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    migrate.upgrade(for_us(url := named(server, name)))
    return url


def _exists(server: str, name: str) -> bool:
    with psycopg.connect(server) as db:
        return _number(db, f"select count(*) from pg_database where datname = '{name}'") > 0


def _number(db: psycopg.Connection, query: str) -> int:
    (number,) = db.execute(query.encode()).fetchone() or (0,)
    return int(number)


def named(server: str, name: str) -> str:
    """Returns the URL of the database of that name on the server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def for_us(url: str) -> str:
    """Returns the URL as the store reads it."""
    ours = make_url(url).set(drivername="postgresql+psycopg")
    return ours.render_as_string(hide_password=False)


def fill(url: str, empty: str, rows: int, until: float) -> bool:
    """Stores connections up to so many, in pieces, until it is time to end; whether all are there."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set session_replication_role = replica")
        db.execute("set synchronous_commit = off")
        db.execute("set maintenance_work_mem = '1GB'")
        db.execute("create temporary table seed (id uuid, n int)")
        there = _number(db, "select count(*) from refresh_schedule")
        if there == 0:
            _drop_indexes(url)
        for first in range(there + 1, rows + 1, CHUNK):
            if time.monotonic() > until:
                return False
            with db.transaction(), db.cursor() as cursor:
                cursor.execute("truncate seed")
                with cursor.copy("copy seed from stdin") as copy:
                    for line in _lines(first, min(first + CHUNK, rows + 1)):
                        copy.write(line)
                cursor.execute(_STORE)
            print(f"{min(first + CHUNK - 1, rows):,} rows", file=sys.stderr, flush=True)
        for name, statement in _indexes(empty).items():
            if _number(db, f"select count(*) from pg_class where relname = '{name}'") == 0:
                print(f"making {name}", file=sys.stderr, flush=True)
                db.execute(statement.encode())
        db.execute("vacuum analyze refresh_schedule, connection")
    return True


def _indexes(url: str) -> dict[str, str]:
    """Returns the statements that make the indexes but for the primary keys, by name."""
    with migrate.connection(for_us(url)) as db:
        found = [i for t in table_forms.KEYS for i in table_forms.indexes(db, t, parted=False)]
    made = {i.name: i.definition.format(table=i.table, name=i.name) for i in found}
    return {name: text for name, text in made.items() if not name.endswith("_pkey")}


def _drop_indexes(url: str) -> None:
    """Drops what is ten times as quick to make at the end."""
    with psycopg.connect(url, autocommit=True) as db:
        for name, made in _indexes(url).items():
            is_constraint = made.startswith("alter table")
            what = f"alter table connection drop constraint {name}"
            db.execute((what if is_constraint else f"drop index {name}").encode())


def _lines(first: int, end: int) -> Iterator[str]:
    for n in range(first, end):
        yield f"{connection_id('bench', 'bench', str(n))}\t{n}\n"
