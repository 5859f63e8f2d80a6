"""Whose tables are in a database: ours, another application's, or nobody's.

A database is often shared: hosts hand out one URL. Our tables have plain names, and Alembic's own
table is called the same in every application. So ours has its own name; nothing of others is touched.
"""

from __future__ import annotations

from sqlalchemy import Connection as Db
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from refresher.errors import DatabaseNotMigrated
from refresher.store.tables import metadata

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
        db.execute(text(f"alter table {OF_ALEMBIC} rename to {VERSION_TABLE}"))
        db.execute(text(f"alter index if exists {OF_ALEMBIC}_pkc rename to {VERSION_TABLE}_pkc"))


def make_schema(db: Db, schema: str) -> None:
    """Makes the schema where it is missing; raises `DatabaseNotMigrated` where we may not."""
    if _exists(db, "select to_regnamespace(quote_ident(:name)) is not null", schema):
        return
    try:
        with db.begin_nested():
            db.execute(text(f'create schema "{schema}"'))  # a setting of letters, digits and -
    except DBAPIError as error:
        raise DatabaseNotMigrated(
            f"the schema {schema} (REFRESHER_DATABASE_SCHEMA) does not exist, and this role may not "
            f'make it: create schema "{schema}" authorization this role'
        ) from error


def refuse_unfit(db: Db, schema: str | None) -> None:
    """Raises `DatabaseNotMigrated` where our first tables cannot or should not be made."""
    encoding = db.execute(text("show server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise DatabaseNotMigrated(
            f"the database's encoding is {encoding}, which cannot hold every name: make one with "
            "create database … encoding 'UTF8' template template0"
        )
    here = str(db.execute(text("select current_schema()")).scalar_one() or "")
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
    statement = text(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = :schema and c.relname = any(:names) order by 1"
    )
    return list(db.execute(statement, {"schema": schema, "names": names}).scalars())


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
    return [str(row[0]) for row in db.execute(text(f"select * from {table} order by 1"))]  # noqa: S608


def _beside_ours(db: Db) -> bool:
    """Whether Alembic's version table stands in the schema of our tables."""
    statement = text(
        "select v.relnamespace = s.relnamespace from pg_class v, pg_class s "
        "where v.oid = to_regclass(:version) and s.oid = to_regclass(:ours)"
    )
    found = db.execute(statement, {"version": OF_ALEMBIC, "ours": _OURS_ALONE})
    return bool(found.scalar())


def _only(versions: list[str], table: str) -> str | None:
    if len(versions) > 1:
        raise DatabaseNotMigrated(
            f"the table {table} names {len(versions)} migrations ({', '.join(versions)}): another "
            f"application shares it; delete the rows that are not refresher's, or {_GIVE_A_SCHEMA}"
        )
    return versions[0] if versions else None


def _exists(db: Db, question: str, name: str) -> bool:
    return bool(db.execute(text(question), {"name": name}).scalar())
