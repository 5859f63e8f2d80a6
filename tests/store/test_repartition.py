"""The form of the tables changes, and nothing else: not what is stored, not what hangs on it."""

import subprocess
import sys
from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command

from refresher.rules.connection import connection_id
from refresher.settings import sqlalchemy_url
from refresher.store import migrate, repartition, schedule, table_forms, workers
from refresher.store.repartition import CannotPartition
from tests.services import plain
from tests.waiting import wait_until
from tests.world import World

CATALOG = """
    select c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || a.attnotnull
        || coalesce(pg_get_expr(d.adbin, d.adrelid), '') as fact
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind <> 'i'
    union all select relname, coalesce(reloptions::text, '') || coalesce(relacl::text, '')
        || coalesce(obj_description(oid, 'pg_class'), '') || relkind::text
        || case relkind when 'v' then pg_get_viewdef(oid) else '' end
    from pg_class where relnamespace = 'public'::regnamespace
    union all select tablename, indexdef from pg_indexes where schemaname = 'public'
    union all select conrelid::regclass::text, conname || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
    order by 1, 2
"""
IN_THE_WAY = {
    "create view mine as select id from connection": "the view mine reads connection",
    "create table mine (of uuid references connection (id))": "mine_of_fkey of mine",
    "create unique index mine on connection (account)": "the unique index mine",
    "alter table connection enable row level security; create policy mine on connection": "mine",
    "create publication mine for table refresh_schedule": "the publication mine",
    "create role somebody; grant select (id) on connection to somebody": "a single column",
}


def url_of(world: World) -> str:
    """Returns the URL of the world's database."""
    return str(world.services.settings.database)


def change(world: World, number: int) -> int:
    """Changes the form of the world's tables."""
    return repartition.change(url_of(world), None, number, lambda _done, _words: None)


@pytest.fixture
def one(world: World) -> World:
    """A world whose tables are not partitioned, with a connection, a slot and a sibling."""
    change(world, 1)
    return world


def test_there_and_back_everything_is_as_before(one: World) -> None:
    """Rows, columns, indexes, constraints, storage settings, views and grants."""
    one.run("create role reader")
    one.run("grant select on connection, connections to reader")
    ids = [one.connect(f"c{n}") for n in range(30)]
    before, rows = one.rows(CATALOG), one.rows("select * from connection order by id")
    schedule_rows = one.rows("select * from refresh_schedule order by connection_id")
    assert change(one, 4) == 1
    assert change(one, 3) == 4, "from one number of partitions to another"
    assert change(one, 3) == 3, "nothing to do"
    spread = one.rows("select distinct tableoid from refresh_schedule")
    assert len(spread) == 3
    assert change(one, 1) == 3
    one.run("drop owned by reader")
    one.run("grant select on connection, connections to reader")
    assert one.rows(CATALOG) == before
    assert one.rows("select * from connection order by id") == rows
    assert one.rows("select * from refresh_schedule order by connection_id") == schedule_rows
    assert len(ids) == len(rows)
    one.run("drop owned by reader")
    one.run("drop role reader")


def test_partitions_have_the_storage_settings_of_the_table(one: World) -> None:
    """Autovacuum and HOT work in each part as they did in the whole."""
    sql = (
        "select distinct reloptions from pg_class "
        "where relname similar to 'refresh_schedule(_4_[0-9]+)?'"
    )
    before = one.rows(sql)
    change(one, 4)
    assert one.rows(f"{sql} and relkind = 'r'") == before


def test_a_claim_takes_the_longest_due_of_all_partitions(one: World) -> None:
    """Oldest first wherever a row is, no more than asked for, and no row that is not due."""
    due = [one.connect(f"due {n}", expires_in=10 + n) for n in range(20)]
    for n in range(20):
        one.connect(f"fresh {n}", expires_in=360_000)
    change(one, 4)
    one.pass_time(60)
    claimed: list[UUID] = []
    for _ in range(7):
        with one.services.database.transaction() as db:
            found = schedule.claim_due(db, limit=3, lease_seconds=60, holder_id=uuid4())
            claimed += sorted((c.connection_id for c in found), key=due.index)
    assert claimed == due


def test_an_account_is_unique_whatever_the_form(one: World) -> None:
    """The same account again is the same connection, in whichever partition it is."""
    change(one, 4)
    first = one.connect("twice")
    assert one.connect("twice") == first == connection_id("org", "acme", "twice")
    assert len(one.rows("select 1 from connection")) == 1


def test_a_connection_with_another_id_than_its_account_has_is_refused(one: World) -> None:
    """It could come a second time, in another partition, where nothing would hinder it."""
    one.run(
        "insert into connection (id, organization_id, provider, external_id) values "
        "('00000000-0000-0000-0000-000000000001', 'org', 'acme', 'x')"
    )
    with pytest.raises(CannotPartition, match="00000001 has another id"):
        change(one, 4)
    assert table_form(one) == 1


@pytest.mark.parametrize("statement", IN_THE_WAY)
def test_what_would_be_lost_is_refused(one: World, statement: str) -> None:
    """What hangs on the tables and is not ours: a sentence names it, and nothing changed."""
    try:
        one.run(statement)
        with pytest.raises(CannotPartition, match=IN_THE_WAY[statement]):
            change(one, 4)
        assert table_form(one) == 1
    finally:
        if "role" in statement:
            one.run("drop owned by somebody; drop role somebody")


def test_running_processes_are_in_the_way(one: World) -> None:
    """A worker that waits for our lock could not store the pair it has just got."""
    with migrate.connection(url_of(one)) as db:
        workers.register(db, uuid4(), role="worker", host="h", process_id=7)
    with pytest.raises(CannotPartition, match=r"the worker on h \(process 7\) runs"):
        change(one, 4)


def test_too_small_a_disk_is_in_the_way(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms are there at once for a while."""
    monkeypatch.setattr(table_forms, "free_bytes", lambda _db: 1)
    with pytest.raises(CannotPartition, match="make room first"):
        change(one, 4)


def test_who_reads_on_and_on_is_told(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers are waited for in short attempts, so that others go on meanwhile."""
    monkeypatch.setattr(repartition, "SWAP_TRIES", 2)
    with psycopg.connect(plain(url_of(one))) as reader:
        reader.execute("select count(*) from connection")
        with pytest.raises(CannotPartition, match="has been reading"):
            change(one, 4)
    assert table_form(one) == 1


def test_killed_in_between_everything_is_as_before(one: World) -> None:
    """`kill -9` when all is copied: nothing is lost, and the next attempt succeeds."""
    ids = {one.connect(f"c{n}") for n in range(10)}
    script = (
        "import sys; from refresher.store import repartition; "
        "repartition.change(sys.argv[1], None, 4, lambda *a: print(*a, flush=True))"
    )
    with psycopg.connect(plain(url_of(one))) as reader:
        reader.execute("select count(*) from connection")
        arguments = [sys.executable, "-c", script, url_of(one)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert any("refresh_schedule_connection_id_fkey" in line for line in process.stdout)
            process.kill()
    wait_until(lambda: not sessions(one))
    assert table_form(one) == 1
    assert {row.id for row in one.rows("select id from connection")} == ids
    assert change(one, 4) == 1
    assert {row.id for row in one.rows("select id from connection")} == ids


def test_migrations_that_came_later_work_on_both_forms(bare_database_url: str) -> None:
    """Back to the first migration that could be partitioned, and forward again."""
    url = sqlalchemy_url(bare_database_url)
    config = migrate._config()
    with migrate.connection(url) as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0031")
        repartition.spread(db, 4, lambda _done, _words: None)
        command.upgrade(config, "head")
        command.downgrade(config, "0031")
        command.upgrade(config, "head")
        assert table_forms.partitions(db) == 4


def table_form(world: World) -> int:
    """Returns in how many partitions the tables are."""
    with world.services.database.transaction() as db:
        return table_forms.partitions(db)


def sessions(world: World) -> Sequence[object]:
    """Returns the sessions of a change of the form that Postgres still has."""
    return world.rows(
        "select 1 from pg_stat_activity where application_name like '%refresher migrate' "
        "and datname = current_database()"
    )
