"""A database that another application uses too, and a schema of our own in it."""

from contextlib import closing

import pytest

from refresher.errors import DatabaseNewer, DatabaseNotMigrated
from refresher.settings import sqlalchemy_url
from refresher.store import migrate
from refresher.store.pool import Pool
from tests.processes import Spawner
from tests.services import PostgresServer, plain
from tests.store.databases.conftest import Through
from tests.store.databases.kit import ask, run
from tests.world import World

OWN = "set REFRESHER_DATABASE_SCHEMA=refresher"
VERSION = "create table alembic_version (version_num varchar(32) primary key)"
HOST_S = f"{VERSION}; insert into alembic_version values ('a1b2c3d4e5f6')"
TABLES = "select count(*) from pg_tables where schemaname = '{}'"


@pytest.mark.parametrize(
    ("host_s", "sentence"),
    [
        (HOST_S, "its alembic_version is at a1b2c3d4e5f6"),
        (f"{VERSION}; insert into alembic_version values ('0010')", "is at 0010"),
        (f"{VERSION}; insert into alembic_version values ('0005')", "is at 0005"),
        (f"{VERSION}; insert into alembic_version values ('a'), ('b')", "is at a, b"),
        (VERSION, "is at nothing"),
        ("create table organization (id int)", 'table "organization"'),
        ("create view connection as select 1 as id", 'table "connection"'),
        ("create table app (id int); create table mail (id int)", 'tables "app", "mail"'),
        (f"{HOST_S}; create table worker (id int)", 'table "worker"'),
    ],
)
def test_another_application_s_schema_is_left_alone(
    bare_database_url: str, host_s: str, sentence: str
) -> None:
    """Migrating into it is refused in a sentence that names the setting, and nothing is changed."""
    run(bare_database_url, host_s)
    before = ask(bare_database_url, TABLES.format("public"))
    with pytest.raises(DatabaseNotMigrated, match=f"(?s){sentence}.*{OWN}"):
        migrate.upgrade(sqlalchemy_url(bare_database_url))
    assert ask(bare_database_url, TABLES.format("public")) == before


@pytest.mark.parametrize("host_s", [HOST_S, "create table organization (id int)"])
def test_beside_another_application_we_live_in_a_schema_of_our_own(
    bare_database_url: str, host_s: str
) -> None:
    """It is made, everything works in it, and the other application's tables are as they were."""
    # Given a database of an application that has Alembic and names like ours
    run(bare_database_url, host_s)
    before = ask(bare_database_url, TABLES.format("public"))
    # When refresher is given a schema of its own
    url = sqlalchemy_url(bare_database_url)
    assert migrate.upgrade(url, "refresher-1")[0] is None
    # Then a refresh works there
    with closing(World(bare_database_url, database_schema="refresher-1")) as world:
        connection = world.connect(expires_in=0)
        world.tick()
        assert world.token(connection) == "access-1"
        with world.services.database.transaction() as db:
            migrate.check(db)
    # And migrating again finds nothing to do
    assert migrate.upgrade(url, "refresher-1") == (migrate.newest(), migrate.newest())
    assert ask(bare_database_url, TABLES.format("public")) == before
    assert ask(bare_database_url, 'select count(*) > 0 from "refresher-1".connection') == [(True,)]


def test_two_installations_share_a_database(bare_database_url: str) -> None:
    """Each in its schema: what one takes in the other does not see."""
    url = sqlalchemy_url(bare_database_url)
    for schema in ("one", "two"):
        migrate.upgrade(url, schema)
    with (
        closing(World(bare_database_url, database_schema="one")) as one,
        closing(World(bare_database_url, database_schema="two", liveness_lock=False)) as two,
    ):
        one.connect(expires_in=0)
        two.tick()
        assert two.script.asked == []
        one.tick()
        assert len(one.script.asked) == 1


def test_an_explicit_public_is_a_wish(bare_database_url: str) -> None:
    """Who names the schema of another application, where no name is taken, is not asked again."""
    run(bare_database_url, HOST_S)
    migrate.upgrade(sqlalchemy_url(bare_database_url), "public")
    assert ask(bare_database_url, "table alembic_version") == [("a1b2c3d4e5f6",)]


def test_our_version_table_from_before_it_had_a_name_is_taken_over(database_url: str) -> None:
    """An installation of 0.1 is migrated on, and Alembic's common name is free again."""
    run(database_url, "alter table refresher_migration rename to alembic_version")
    with closing(Pool(sqlalchemy_url(database_url))) as database, database.transaction() as db:
        migrate.check(db)  # processes start on it, too
    assert migrate.upgrade(sqlalchemy_url(database_url))[0] == migrate.newest()
    assert ask(database_url, "table refresher_migration") == [(migrate.newest(),)]
    assert ask(database_url, "select to_regclass('alembic_version')") == [(None,)]


@pytest.mark.parametrize("table", ["refresher_migration", "alembic_version"])
def test_a_version_table_that_says_two_things_is_told(database_url: str, table: str) -> None:
    """Two rows are somebody's mistake: one sentence, at migrating and at a process's start."""
    if table != "refresher_migration":
        run(database_url, f"alter table refresher_migration rename to {table}")
    run(
        database_url,
        f"insert into {table} values ('a1b2c3d4e5f6')",
    )
    with pytest.raises(DatabaseNotMigrated, match=r"names 2 migrations .*a1b2c3d4e5f6"):
        migrate.upgrade(sqlalchemy_url(database_url))
    with (
        closing(Pool(sqlalchemy_url(database_url))) as database,
        pytest.raises(DatabaseNotMigrated, match="names 2 migrations"),
        database.transaction() as db,
    ):
        migrate.check(db)


def test_a_role_s_own_search_path_counts(bare_database_url: str, postgres: PostgresServer) -> None:
    """Without the setting, tables are where the role's search path leads, as ever."""
    run(
        bare_database_url,
        "create role pathfinder login password 'x'",
        "create schema elsewhere authorization pathfinder",
        "alter role pathfinder set search_path = elsewhere",
    )
    url = plain(bare_database_url).partition("@")[2]
    try:
        migrate.upgrade(given := sqlalchemy_url(f"postgresql://pathfinder:x@{url}"))
        assert ask(given, TABLES.format("public")) == [(0,)]
        assert ask(given, "select to_regclass('elsewhere.refresh_schedule') is null") == [(False,)]
    finally:
        run(bare_database_url, "drop owned by pathfinder cascade", "drop role pathfinder")


def test_a_schema_that_may_not_be_made_is_told(bare_database_url: str) -> None:
    """The sentence names the setting and the statement that an administrator runs."""
    run(bare_database_url, "create role lodger login password 'x'")
    url = plain(bare_database_url).partition("@")[2]
    try:
        with pytest.raises(DatabaseNotMigrated, match="create schema"):
            migrate.upgrade(sqlalchemy_url(f"postgresql://lodger:x@{url}"), "mine")
    finally:
        run(bare_database_url, "drop role lodger")


def test_a_schema_counts_behind_a_pooler_that_shares_sessions(
    bare_database_url: str, through: Through
) -> None:
    """Each transaction says where our tables are."""
    url = through(bare_database_url, "transaction")
    migrate.upgrade(url, "ours")
    with closing(World(url, database_schema="ours", liveness_lock=False)) as world:
        connection = world.connect(expires_in=0)
        world.tick()
        assert world.token(connection) == "access-1"


def test_a_process_does_not_wait_for_a_newer_database_to_grow_older(
    database_url: str, spawn: Spawner
) -> None:
    """After a roll-back of the program it says at once that the tables are newer, and ends with 4."""
    run(database_url, "update refresher_migration set version_num = '9999'")
    with (
        closing(Pool(sqlalchemy_url(database_url))) as database,
        pytest.raises(DatabaseNewer),
        database.transaction() as db,
    ):
        migrate.check(db)
    scheduler = spawn(
        "-m", "refresher.scheduler",
        env={
            "DATABASE_URL": database_url,
            "REFRESHER_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
            "PORT": "0",
        },
    )  # fmt: skip
    assert scheduler.wait() == 4
    assert "waiting for the database" not in scheduler.output
    assert "newer refresher" in scheduler.output
