"""Brings the schema up to date, and tells whether it is: Alembic on `migrations/`.

Two migrations at the same time (two services deployed at once) take turns on an advisory lock; the
second finds nothing to do. Alembic is loaded only to migrate: every process asks at its start which
revision the database is at, and that is one query and a look at the files.

A database is often shared: hosts hand out one URL. Our tables have plain names, and Alembic's own
table is called the same in every application. So ours has its own name; nothing of others is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from refresher.errors import DatabaseNewer, DatabaseNotMigrated
from refresher.store.connecting import driver_arguments, server_settings, telling
from refresher.store.refusals import as_told
from refresher.store.session import Db, many, one, run

if TYPE_CHECKING:
    from alembic.config import Config

MOST_SECONDS = 600
"""A migration may take longer than a statement of the service ever should."""
LOCK = 0x7265667265736831  # "refresh1" in ASCII
_NAMES = re.compile(r"""^(down_)?revision\b[^=\n]*=\s*["']([^"']+)["']""", re.MULTILINE)


def upgrade(url: str, schema: str | None = None) -> tuple[str | None, str]:
    """Runs the pending migrations; returns the revision before and after.

    `schema` is made where it is missing. Raises `DatabaseNotMigrated` where tables of others are in the
    way, or newer ones of ours.
    """
    from alembic import command  # noqa: PLC0415  a fifth of a process's start, see above

    with connection(url, schema) as db:
        run(db, "select pg_advisory_xact_lock(:lock)", lock=LOCK)
        if schema is not None:
            make_schema(db, schema)
        before = _current(db)
        _refuse_newer(before)
        if before is None:
            refuse_unfit(db, schema)
        else:
            take_version_table(db)
        config = _config()
        config.attributes["connection"] = db
        command.upgrade(config, "head")
        return before, newest()


def is_done(url: str, schema: str | None = None) -> bool:
    """Whether there is nothing to migrate; raises as `upgrade` does where a newer version was here."""
    with connection(url, schema) as db:
        current = _current(db)
        _refuse_newer(current)
        return current == newest() and _versions(db, VERSION_TABLE) is not None


def check(db: Db) -> None:
    """Raises `DatabaseNotMigrated` unless the schema is exactly the one this program knows."""
    current = _current(db)
    _refuse_newer(current)
    if current != newest():
        was = f"is at migration {current}" if current else "has no refresher tables"
        raise DatabaseNotMigrated(
            f"the database {was}, {newest()} is needed: run `refresher migrate`"
        )


def newest() -> str:
    """Returns the revision that this program's tables are at."""
    known, followed = _revisions()
    (head,) = known - followed
    return head


def _current(db: Db) -> str | None:
    return revision(db)


@cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """Returns every revision there is, and those that another one follows."""
    files = sorted((_directory() / "versions").glob("*.py"))
    named = [pair for file in files for pair in _NAMES.findall(file.read_text(encoding="utf-8"))]
    known = frozenset(name for down, name in named if not down)
    return known, frozenset(name for down, name in named if down)


def _refuse_newer(current: str | None) -> None:
    known, _ = _revisions()
    if current is not None and current not in known:
        raise DatabaseNewer(
            f"the database is at migration {current}, which this version does not know: "
            "a newer refresher has been here; deploy that version"
        )


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    return config


def _directory() -> Path:
    """Returns the migrations: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@contextmanager
def connection(url: str, schema: str | None = None) -> Iterator[Db]:
    """Opens one transaction for a change of the schema, which any pooler keeps together."""
    options = make_url(url).query
    arguments = driver_arguments(options, "refresher migrate", once_a_session=False)
    told = telling(server_settings(options, MOST_SECONDS, schema), once_a_session=False)
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    event.listen(engine, "begin", lambda db: db.exec_driver_sql(told))
    try:
        with engine.begin() as db:
            yield db
    except DBAPIError as error:
        raise as_told(error, url) from error
    finally:
        engine.dispose()


VERSION_TABLE = "refresher_migration"
OF_ALEMBIC = "alembic_version"
"""What our version table was called before; every application with Alembic has one."""
_OURS_ALONE = "refresh_schedule"
"""A table of ours that nobody else has: where it stands, a version beside it is ours."""
_GIVE_A_SCHEMA = "give refresher a schema of its own: set REFRESHER_DATABASE_SCHEMA=refresher"


def revision(db: Db) -> str | None:
    """Returns the revision that our tables are at; None where there are none of ours.

    Raises `DatabaseNotMigrated` when the version table names several.
    """
    own = _versions(db, VERSION_TABLE)
    if own is not None:
        return _only(own, VERSION_TABLE)
    before = _versions(db, OF_ALEMBIC)
    # Beside our tables it is ours, from before it had a name of its own.
    return _only(before, OF_ALEMBIC) if before and _beside_ours(db) else None


def take_version_table(db: Db) -> None:
    """Gives our version table, from before it had one, its own name. Never another application's."""
    if _versions(db, VERSION_TABLE) is None:
        run(db, f"alter table {OF_ALEMBIC} rename to {VERSION_TABLE}")
        run(db, f"alter index if exists {OF_ALEMBIC}_pkc rename to {VERSION_TABLE}_pkc")


def make_schema(db: Db, schema: str) -> None:
    """Makes the schema where it is missing; raises `DatabaseNotMigrated` where we may not."""
    if _exists(db, "select to_regnamespace(quote_ident(:name)) is not null", schema):
        return
    try:
        with db.begin_nested():
            run(db, f'create schema "{schema}"')  # a setting of letters, digits and -
    except DBAPIError as error:
        raise DatabaseNotMigrated(
            f"the schema {schema} (REFRESHER_DATABASE_SCHEMA) does not exist, and this role may not "
            f'make it: create schema "{schema}" authorization this role'
        ) from error


def refuse_unfit(db: Db, schema: str | None) -> None:
    """Raises `DatabaseNotMigrated` where our first tables cannot or should not be made."""
    from refresher.store.tables import metadata  # noqa: PLC0415  for the first migration alone

    encoding = run(db, "show server_encoding").scalar_one()
    if encoding != "UTF8":
        raise DatabaseNotMigrated(
            f"the database's encoding is {encoding}, which cannot hold every name: make one with "
            "create database … encoding 'UTF8' template template0"
        )
    here = str(run(db, "select current_schema()").scalar_one() or "")
    if not here:
        raise DatabaseNotMigrated(
            f"the role's search path leads to no schema that exists: {_GIVE_A_SCHEMA}"
        )
    taken = _taken(db, here, [*metadata.tables, VERSION_TABLE])
    if taken:
        raise DatabaseNotMigrated(
            f"the schema {here} holds another application's {_named(taken)}: {_GIVE_A_SCHEMA}"
        )
    if schema is None and _taken(db, here, [OF_ALEMBIC]):
        at = ", ".join(_versions(db, OF_ALEMBIC) or ["nothing"])
        raise DatabaseNotMigrated(
            f"the schema {here} is another application's (its {OF_ALEMBIC} is at {at}): "
            f"{_GIVE_A_SCHEMA}"
        )


def _taken(db: Db, schema: str, names: list[str]) -> list[str]:
    """Returns which of these names are taken in a schema."""
    sql = (
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = :schema and c.relname = any(:names) order by 1"
    )
    return many(db, str, sql, schema=schema, names=names)


def _named(tables: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in tables[:3])
    more = f" and {len(tables) - 3} more" if len(tables) > 3 else ""
    return f"table{'s' if len(tables) > 1 else ''} {shown}{more}"


def _versions(db: Db, table: str) -> list[str] | None:
    """Returns what a version table says; None where there is none that the search path leads to."""
    if not _exists(db, "select to_regclass(:name) is not null", table):
        return None
    if not _exists(db, "select has_table_privilege(to_regclass(:name), 'select')", table):
        return []  # not ours to read
    return [str(row[0]) for row in run(db, f"select * from {table} order by 1")]  # noqa: S608


def _beside_ours(db: Db) -> bool:
    """Whether Alembic's version table stands in the schema of our tables."""
    sql = (
        "select v.relnamespace = s.relnamespace from pg_class v, pg_class s "
        "where v.oid = to_regclass(:version) and s.oid = to_regclass(:ours)"
    )
    found = run(db, sql, version=OF_ALEMBIC, ours=_OURS_ALONE)
    return bool(found.scalar())


def _only(versions: list[str], table: str) -> str | None:
    if len(versions) > 1:
        raise DatabaseNotMigrated(
            f"the table {table} names {len(versions)} migrations ({', '.join(versions)}): another "
            f"application shares it; delete the rows that are not refresher's, or {_GIVE_A_SCHEMA}"
        )
    return versions[0] if versions else None


def _exists(db: Db, question: str, name: str) -> bool:
    return one(db, bool, question, name=name)
