"""The events' table becomes a partitioned one around the rows that it holds, and back again."""

from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from refresher.settings import sqlalchemy_url
from refresher.store import migrate, partitions
from refresher.store.pool import Pool

ROWS = """
insert into connection (id, organization_id, provider, external_id)
values ('00000000-0000-0000-0000-000000000001', 'org', 'acme', '1');
insert into refresh_event (connection_id, occurred_at, kind, lease_token)
select '00000000-0000-0000-0000-000000000001', now() - n * interval '1 day', 'refreshed', n
from generate_series(1, 40) n;
"""
APPEND = (
    "insert into refresh_event (connection_id, kind) values "
    "('00000000-0000-0000-0000-000000000001', 'paused') returning id, tableoid::regclass::text"
)
COUNT = "select count(*), sum(lease_token) from refresh_event where kind = 'refreshed'"


def test_the_rows_that_there_are_stay(bare_database_url: str) -> None:
    """Every event is kept with its number, the next one gets the next, and going back loses none."""
    # Given events in the table as it was before
    config = migrate._config()
    scripts = ScriptDirectory.from_config(config)
    before = next(
        script.down_revision
        for script in scripts.walk_revisions()
        if Path(script.path).stem.endswith("event_partitions")
    )
    assert isinstance(before, str)
    url = sqlalchemy_url(bare_database_url)
    with migrate.connection(url) as db:
        config.attributes["connection"] = db
        command.upgrade(config, before)
        db.exec_driver_sql(ROWS)
    # When it is migrated
    migrate.upgrade(url)
    with closing(Pool(url)) as database, database.transaction() as db:
        assert db.exec_driver_sql(COUNT).one() == (40, 820)
        assert db.exec_driver_sql(APPEND).one() == (41, "refresh_event_before")
        found = partitions.every(db)
        # Then tomorrow is the first day with a partition of its own
        assert [p.name for p in found] == ["refresh_event_before", partitions.DEFAULT]
        now = partitions.now(db)
        assert found[0].upper == partitions.missing(db, now)[0] > now
    # And back again
    with migrate.connection(url) as db:
        config.attributes["connection"] = db
        command.downgrade(config, before)
        assert db.exec_driver_sql(COUNT).one() == (40, 820)
        assert db.exec_driver_sql(APPEND).one() == (42, "refresh_event")
