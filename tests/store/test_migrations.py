"""Migrations and tables agree, and migrating is safe to repeat and to do twice at once."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import ForeignKeyConstraint, text

from refresher.errors import DatabaseNotMigrated, DatabaseUnavailable
from refresher.settings import sqlalchemy_url
from refresher.store import migrate
from refresher.store.migrate import VERSION_TABLE
from refresher.store.pool import Pool
from refresher.store.table_forms import ACCOUNT_KEY
from refresher.store.tables import metadata
from tests.services import PARTITIONS

PARTITION = re.compile(r"refresh_event_|(connection|refresh_schedule)_\d")


def opened(url: str) -> closing[Pool]:
    """Returns a database that is closed at the end of the `with`."""
    return closing(Pool(sqlalchemy_url(url)))


def is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    """Whether alembic is to compare this: a day of events is made by the scheduler."""
    return kind != "table" or not PARTITION.match(str(name))


def is_in_both_forms(found: object, name: str | None, *_more: object) -> bool:
    """Whether a part of a table is the same when the table is in partitions.

    Postgres keeps a foreign key to a table in partitions once more for each of them.
    """
    if isinstance(found, ForeignKeyConstraint):
        return not any(PARTITION.match(key.target_fullname) for key in found.elements)
    return PARTITIONS == 1 or name != ACCOUNT_KEY


def test_migrations_and_tables_agree(database_url: str) -> None:
    """A migrated database differs in nothing from the metadata of `store/tables/`."""
    with opened(database_url) as database, database.transaction() as db:
        options = {
            "compare_server_default": True,
            "include_name": is_no_partition,
            "include_object": is_in_both_forms,
            "version_table": VERSION_TABLE,
        }
        context = MigrationContext.configure(db, opts=options)
        assert compare_metadata(context, metadata) == []


def test_every_index_is_as_declared(database_url: str) -> None:
    """Partial indexes, which alembic does not compare, have the predicates of the metadata."""
    declared = {
        (index.name, "" if where is None else bare(str(where)))
        for table in metadata.tables.values()
        for index in table.indexes
        for where in [index.dialect_options["postgresql"]["where"]]
    }
    with opened(database_url) as database, database.transaction() as db:
        rows = db.execute(
            text(
                "select c.relname, coalesce(pg_get_expr(i.indpred, i.indrelid), '') as predicate "
                "from pg_index i join pg_class c on c.oid = i.indexrelid "
                "where c.relnamespace = 'public'::regnamespace and not i.indisunique "
                "and not c.relispartition"
            )
        ).all()
    assert {(r.relname, bare(r.predicate)) for r in rows} == declared


def bare(predicate: str) -> str:
    """Returns a predicate without the parentheses that Postgres adds."""
    return predicate.replace("(", "").replace(")", "").lower()


def test_a_second_migration_at_the_same_time_waits_and_finds_nothing_to_do(
    bare_database_url: str,
) -> None:
    """Two services deployed at once may both migrate."""
    url = sqlalchemy_url(bare_database_url)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrate.upgrade(url), range(4)))
    assert sorted(before or "" for before, _ in results) == ["", *[migrate.newest()] * 3]


def test_an_unmigrated_database_is_told_in_a_sentence(bare_database_url: str) -> None:
    """A missing schema names the command that makes it."""
    with opened(bare_database_url) as database:
        with (
            pytest.raises(DatabaseNotMigrated, match="run `refresher migrate`"),
            database.transaction() as db,
        ):
            migrate.check(db)
        with (
            pytest.raises(DatabaseNotMigrated, match="run `refresher migrate`"),
            database.transaction() as db,
        ):
            db.execute(text("select 1 from refresh_schedule"))


def test_a_newer_schema_is_refused(database_url: str) -> None:
    """An old program never runs on tables that a newer one made."""
    with opened(database_url) as database:
        with database.transaction() as db:
            db.execute(text("update refresher_migration set version_num = '9999'"))
        with (
            pytest.raises(DatabaseNotMigrated, match="newer refresher"),
            database.transaction() as db,
        ):
            migrate.check(db)
    with pytest.raises(DatabaseNotMigrated, match="newer refresher"):
        migrate.upgrade(sqlalchemy_url(database_url))


def test_an_absent_database_is_told_without_its_password() -> None:
    """Nobody reads a password in a log because Postgres was away."""
    with pytest.raises(DatabaseUnavailable) as caught:
        migrate.upgrade("postgresql+psycopg://me:canary-password@127.0.0.1:1/none")
    assert "canary-password" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


def test_the_clock_is_inlined_so_that_the_claim_uses_its_index(database_url: str) -> None:
    """`refresher_now()` costs nothing: the plan compares due_at with the expression itself."""
    with opened(database_url) as database, database.transaction() as db:
        db.execute(text("set local enable_seqscan = off"))
        plan = "\n".join(
            row[0]
            for row in db.execute(
                text(
                    "explain select 1 from refresh_schedule "
                    "where state = 0 and due_at <= refresher_now() order by due_at limit 5"
                )
            )
        )
    assert "due_at_idx" in plan
    assert "refresher_now" not in plan
