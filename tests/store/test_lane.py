"""A session of an event loop's own, for stored tokens."""

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from refresher.errors import DatabaseNotMigrated, DatabaseUnavailable
from refresher.store.pool import Pool
from refresher.store.serving import Lane
from refresher.store.session import Database
from tests.ports import free_port
from tests.store.sessions import end_sessions
from tests.waiting import wait_until
from tests.world import World

pytestmark = pytest.mark.anyio


def sessions(database: Database) -> int:
    """How many sessions the database has besides the one that asks."""
    with database.reading() as db:
        asked = text(
            "select count(*) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid() "
            "and backend_type = 'client backend'"
        )
        return int(db.execute(asked).scalar_one())


async def test_it_reads_what_the_pool_reads(world: World):
    """The stored token of each that exists there, in one statement."""
    id_, other = world.connect("a"), world.connect("b")
    lane = Lane(world.services.database)
    found = await lane.stored_many([(id_, None), (other, "nobody's"), (uuid4(), None)])
    assert [stored.connection_id for stored in found.values()] == [id_]
    assert list(found) == [(id_, None)]
    lane.close()


async def test_a_session_that_was_ended_is_replaced(world: World):
    """A deploy of Postgres while nobody asked costs nobody an error."""
    id_ = world.connect("a")
    lane = Lane(world.services.database)
    await lane.stored_many([(id_, None)])
    assert end_sessions(world.services.database) >= 1
    assert (id_, None) in await lane.stored_many([(id_, None)])
    lane.close()


async def test_a_postgres_that_is_away_is_told_in_a_sentence():
    """The URL stands in it, its password does not; and the next read tries again."""
    database = Pool(f"postgresql+psycopg://u:secret@127.0.0.1:{free_port()}/d")
    lane = Lane(database)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="cannot be used") as told:
            await lane.stored_many([(uuid4(), None)])
        assert "secret" not in str(told.value)
    database.close()


async def test_a_closed_one_leaves_no_session(world: World):
    """Closing ends it at once; so does forgetting it."""
    id_ = world.connect("a")
    before = sessions(world.services.database)
    closed, forgotten = Lane(world.services.database), Lane(world.services.database)
    for lane in (closed, forgotten):
        await lane.stored_many([(id_, None)])
    assert sessions(world.services.database) == before + 2
    closed.close()
    del lane, forgotten
    wait_until(lambda: sessions(world.services.database) == before)


async def test_other_errors_of_postgres_stay_what_they_are(world: World):
    """Nothing but its absence is called its absence."""
    with world.services.database.transaction() as db:
        db.execute(text("alter table connection rename column credential_version to cv"))
    lane = Lane(world.services.database)
    with pytest.raises(DatabaseNotMigrated, match="older tables") as told:
        await lane.stored_many([(uuid4(), None)])
    assert isinstance(told.value.__cause__, psycopg.Error)
