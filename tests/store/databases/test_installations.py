"""Two installations on one Redis database: neither takes what is the other's, and both say so."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text

from refresher.refresh import recovery
from refresher.rules.installation import namespace
from refresher.runtime.broker import make_broker, marker_stands, name_queues, queue_depth
from refresher.runtime.neighbours import CARDS, Neighbours
from refresher.settings import load, sqlalchemy_url
from refresher.store import installation, migrate
from refresher.store.pool import Pool
from refresher.store.spool import KEY, Spool
from tests.chaos.deployment import Deployment, Plan
from tests.chaos.ground import Ground
from tests.chaos.referee import judge
from tests.guard import Guard
from tests.services import RedisServer
from tests.store.databases.kit import run
from tests.waiting import wait_until
from tests.world import World

REFRESHED = "select count(*) from refresh_event where kind = 'refreshed'"
EXPIRED = "select count(*) from refresh_event where expired_seconds > 0"


def test_an_installation_has_one_name_for_ever(world: World) -> None:
    """Drawn by the migration; only a table that was emptied by hand gets another."""
    with world.services.database.transaction() as db:
        name = installation.name(db)
        assert installation.name(db) == name
    world.run("delete from installation")
    with world.services.database.transaction() as db:
        other = installation.name(db)
    with world.services.database.transaction() as db:
        assert installation.name(db) == other != name


def test_a_copy_is_told_by_its_place(world: World, bare_database_url: str) -> None:
    """A database has one place, another one another; also where the server's own number is secret."""
    migrate.upgrade(sqlalchemy_url(bare_database_url))
    places = []
    for url in (world.services.database.url, sqlalchemy_url(bare_database_url)):
        with closing(Pool(url)) as database, database.transaction() as db:
            places.append(installation.place(db))
            assert installation.place(db) == places[-1]
            db.execute(text("create role nobody_special"))
            db.execute(text("revoke execute on function pg_control_system() from public"))
            db.execute(text("set local role nobody_special"))
            assert len(installation.place(db)) == 12
            db.rollback()
    assert len(set(places)) == 2


def test_queues_and_markers_carry_the_name(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one installation enqueues the other does not see, and each misses its own marker alone."""
    from refresher.actors import refresh_connections  # noqa: PLC0415  as the processes do

    monkeypatch.setenv("REDIS_URL", redis_url)
    ours, theirs = make_broker(load(), "redis"), make_broker(load(), "redis")
    name_queues(one := uuid4(), ours)
    name_queues(uuid4(), theirs)
    queue = refresh_connections.queue_name
    ours.declare_queue(queue)
    ours.enqueue(refresh_connections.message([]))
    assert (queue_depth(ours, queue), queue_depth(theirs, queue)) == (1, 0)
    assert [marker_stands(ours), marker_stands(ours), marker_stands(theirs)] == [False, True, False]
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        keys = list(client.scan_iter())
        assert all(key.startswith("refresher:") for key in keys)
        assert f"{namespace(one)}:{queue}" in keys
    ours.close()
    theirs.close()


def test_a_spool_takes_what_is_its_own(redis_url: str, tmp_path: Path) -> None:
    """Entries of another name are not seen, those from before there were names are."""
    ours, theirs = (
        Spool(load(redis_url=redis_url, data_directory=tmp_path / name)) for name in "ab"
    )
    ours.named(uuid4())
    theirs.named(uuid4())
    ours.put(["ours"])
    with redis.Redis.from_url(redis_url) as client:
        client.rpush(KEY, "old")
    assert ours.entries() == ["ours", "old"]
    assert theirs.entries() == ["old"]
    assert (ours.in_redis(), theirs.in_redis()) == (2, 1)
    ours.remove(["ours", "old"])
    assert (ours.entries(), theirs.entries()) == ([], [])


def test_an_old_entry_of_another_installation_stays(database_url: str, redis_url: str) -> None:
    """From before there were names: who has no such connection leaves it, who has one stores it."""
    entry = {
        "connection_id": str(uuid4()), "lease_token": 1, "credential_version": 1,
        "grant_number": 1, "kind": "refreshed", "due_in_seconds": 60, "access_token": "QUJD",
        "refresh_token": None, "lifetime_seconds": 60, "left_seconds": 60,
        "refresh_token_left_seconds": None, "scopes": None, "told_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    with closing(World(database_url, redis_url=redis_url)) as world:
        with redis.Redis.from_url(redis_url) as client:
            client.rpush(KEY, json.dumps(entry))
        assert recovery.drain(world.services).stored == 0
        assert world.services.spool.entries() == [json.dumps(entry)]


def test_each_finds_the_others_card(redis_url: str) -> None:
    """Another name is another installation; our name from another place is a copy of our database."""
    settings = load(redis_url=redis_url)
    name = uuid4()
    ours, theirs = Neighbours(settings, name, "here"), Neighbours(settings, uuid4(), "there")
    copy = Neighbours(settings, name, "elsewhere")
    ours.introduce()
    assert ours.met() == []
    theirs.introduce()
    assert [one.is_copy for one in ours.met()] == [False]
    assert [name.hex] == [one.installation for one in theirs.met()]
    copy.introduce()
    assert {one.is_copy for one in ours.met()} == {False, True}
    assert "REFRESHER_REDIS_DB" in ours.met()[0].sentence
    # And a card of long ago tells of nobody
    with redis.Redis.from_url(redis_url) as client:
        for field in client.hkeys(CARDS):
            client.hset(CARDS, field, json.dumps({"host": "h", "seen_at": time.time() - 61}))
    assert ours.met() == []
    assert Neighbours(load(), name, "here").met() == []


class Shared(Ground):
    """A ground of its own, but for the Redis database."""

    def __init__(self, guard: Guard, folder: Path, server: RedisServer) -> None:
        super().__init__(guard, folder)
        self._server = server

    def redis_url(self) -> str:
        """Returns the URL of the database that everybody shares."""
        return self._server.url(0)


@pytest.fixture
def two(
    guard: Guard, tmp_path: Path, redis_server: RedisServer, lives: tuple[int, float]
) -> Iterator[list[Deployment]]:
    """Two whole installations, each with a provider, a database and processes, on one Redis."""
    connections, seconds = lives
    plan = Plan(connections=connections, lifetime_seconds=seconds, grace_seconds=0, workers=1)
    redis_server.start()
    redis_server.flushall()
    with ExitStack() as stack:
        made = []
        for name in ("one", "two"):
            ground = stack.enter_context(Shared(guard, tmp_path / name, redis_server))
            made.append(stack.enter_context(Deployment(ground, plan)))
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("lives", [(100, 20.0)])
def test_two_installations_on_one_redis_lose_nothing_and_say_what_they_met(
    two: list[Deployment],
) -> None:
    """A hundred connections each, over three lives of 20 s: none expires, no message goes astray."""
    for deployment in two:
        wait_until(
            lambda d=deployment: d.number(REFRESHED) >= 300,  # type: ignore[misc]
            120,
            deployment.ground.spawn.outputs,
        )
    for deployment in two:
        deployment.settle_down()
    for deployment in two:
        said = deployment.ground.spawn.outputs()
        verdict = judge(deployment)
        assert (verdict.lost, verdict.interrupted, verdict.double_spent) == (0, 0, 0)
        assert deployment.number(EXPIRED) == 0
        assert '"stale"' not in said
        assert "another installation (" in said
        assert "uses the same Redis" in said


def test_a_status_page_tells_of_the_others(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/health/status` has a sentence for each, and stays well: names keep them apart."""
    monkeypatch.setattr("refresher.runtime.process.configure", lambda _settings: None)
    from refresher.runtime.process import Process  # noqa: PLC0415  as the processes do

    with closing(World(database_url, redis_url=redis_url, port=0)) as world:
        Neighbours(load(redis_url=redis_url), uuid4(), "there").introduce()
        process = Process("web", world.services, None)
        process.start()
        wait_until(lambda: "another installation" in str(process.probe.status()["redis"]))
        assert process.probe.status()["ok"]
        # But not beside a copy of our own database
        with world.services.database.transaction() as db:
            name = installation.name(db)
        Neighbours(load(redis_url=redis_url), name, "elsewhere").introduce()
        wait_until(lambda: not process.probe.status()["ok"])
        assert "a copy of this installation's database" in str(process.probe.status()["faults"])
        process.stop()


def test_an_emptied_table_is_no_trouble(database_url: str) -> None:
    """A benchmark empties all tables; the next process draws a name."""
    run(database_url, "truncate installation")
    with closing(World(database_url)) as world, world.services.database.transaction() as db:
        assert installation.name(db)
