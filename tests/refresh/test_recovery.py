"""Postgres away at the worst moment: a reply is in hand, or nobody knows whether a commit took place.

`recovery.py` and `spool.py` on real servers. "Away" is a database that takes no connections and has
ended all sessions: that needs no server to be stopped.
"""

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection as Db

from refresher.errors import DatabaseUnavailable
from refresher.refresh.recovery import drain, sweep_stalled
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime.liveness import Watch
from refresher.testing.history import check_history
from tests.services import PostgresServer, plain
from tests.world import World

NOBODY_LISTENS = "redis://127.0.0.1:1/0"


class Switch:
    """Takes one database away, and gives it back."""

    def __init__(self, server: PostgresServer, database_url: str) -> None:
        self._name = database_url.rsplit("/", 1)[1]
        self._admin = psycopg.connect(plain(server.url()), autocommit=True)

    def off(self) -> None:
        """Refuses new connections and ends those that are open."""
        self._admin.execute(f'alter database "{self._name}" allow_connections false')
        self._admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            (self._name,),
        )

    def on(self) -> None:
        """Accepts connections again."""
        self._admin.execute(f'alter database "{self._name}" allow_connections true')

    def close(self) -> None:
        """Leaves the database as it was."""
        self.on()
        self._admin.close()


@pytest.fixture
def switch(postgres: PostgresServer, database_url: str) -> Iterator[Switch]:
    """Takes this test's database away."""
    made = Switch(postgres, database_url)
    yield made
    made.close()


@pytest.fixture
def make_world(database_url: str, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes the world of this test, with a folder of its own for the spool."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        known = {"data_directory": tmp_path, "http_total_seconds": 6, "commit_seconds": 0.2}
        made.append(World(database_url, **known, **settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


def lose_postgres_in_flight(world: World, switch: Switch, *, stopping: bool) -> UUID:
    """Refreshes one connection; Postgres goes away while its reply is on the way."""
    id_ = world.connect(expires_in=0)

    def answer(request: TokenRequest) -> Reply:
        switch.off()
        if stopping:
            world.services.stopping.set()
        return world.script.rotate(request)

    claims = world.claim()
    world.script.answer = answer
    tally = refresh(world.services, claims)
    assert tally["spooled"] == 1
    switch.on()
    world.script.answer = world.script.rotate
    world.services.stopping.clear()
    return id_


def sweep(world: World, watch: Watch | None = None) -> None:
    """Sweeps once, as the scheduler does."""
    sweep_stalled(world.services, watch or Watch())


def test_a_reply_is_held_until_postgres_is_back(
    make_world: Callable[..., World], switch: Switch
) -> None:
    """No stop, no spool: the pair waits in the process and is stored when it can be."""
    world = make_world()
    id_ = world.connect(expires_in=0)
    claims = world.claim()
    lines: list[str] = []
    held: list[str] = []

    def answer(request: TokenRequest) -> Reply:
        switch.off()
        return world.script.rotate(request)

    world.script.answer = answer
    with returning(world, switch, lines, held):
        assert refresh(world.services, claims)["refreshed"] == 1
    assert lines, "Postgres was never away"
    assert len(held) == 1, "not even kill -9 could have lost it"
    assert world.token(id_, "refresh_token") == "refresh-1"
    assert world.services.spool.entries() == []


@contextmanager
def returning(world: World, switch: Switch, seen: list[str], held: list[str]) -> Iterator[None]:
    """Has the database come back at the third try to write; tells what is spooled meanwhile."""
    database = world.services.database
    whole = database.transaction

    @contextmanager
    def transaction() -> Iterator[Db]:
        try:
            with whole() as db:
                yield db
        except DatabaseUnavailable as error:
            seen.append(str(error))
            if len(seen) == 2:
                held.extend(world.services.spool.entries())
                switch.on()
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "transaction", transaction)
        yield


@pytest.mark.parametrize("redis", ["there", "away", "none"])
def test_a_reply_that_cannot_be_stored_before_a_stop_survives_it(
    make_world: Callable[..., World], switch: Switch, redis_url: str, tmp_path: Path, redis: str
) -> None:
    """Spooled in Redis, or in a file only its owner reads; the next sweep stores it, asking nobody."""
    # Given a deployment with Redis, with one that is away, or without
    url = {"there": redis_url, "away": NOBODY_LISTENS, "none": None}[redis]
    world = make_world(redis_url=url)
    # When the process must stop while it holds a reply and Postgres is away
    id_ = lose_postgres_in_flight(world, switch, stopping=True)
    file = tmp_path / "spool.jsonl"
    assert file.exists() is (redis != "there")
    if file.exists():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Then no token stands in it, and the next sweep stores the pair before anything else
    (entry,) = world.services.spool.entries()
    assert "access-1" not in entry
    assert "refresh-1" not in entry
    world.pass_time(world.services.settings.attempt_timeout_seconds + 1)
    sweep(world)
    assert (world.token(id_), world.token(id_, "refresh_token")) == ("access-1", "refresh-1")
    assert world.services.spool.entries() == []
    assert world.events(id_) == ["imported", "refreshed"]
    assert len(world.script.asked) == 1
    assert check_history(world.services.database) == []


def test_a_spooled_pair_is_as_old_as_its_reply(
    make_world: Callable[..., World], switch: Switch
) -> None:
    """An hour's token that lay in the spool for half an hour is known to have half an hour left."""
    world = make_world()
    id_ = lose_postgres_in_flight(world, switch, stopping=True)
    world.pass_time(1800)
    sweep(world)
    now = world.services.database.simulated_now
    assert 1799 < (world.row(id_).expires_at - now).total_seconds() < 1801
    assert 0 < (world.row(id_).due_at - now).total_seconds() < 1300


def test_a_spooled_pair_never_overwrites_a_newer_one(
    make_world: Callable[..., World], switch: Switch
) -> None:
    """A user who reconnected meanwhile keeps the new grant; the old pair goes into quarantine."""
    world = make_world()
    id_ = lose_postgres_in_flight(world, switch, stopping=True)
    world.connect(access_token="new-access", refresh_token="new-refresh", expires_in=3600)
    sweep(world)
    assert world.token(id_, "refresh_token") == "new-refresh"
    assert world.one("select count(*) as n from quarantine").n == 1
    assert world.services.spool.entries() == []


def test_an_outcome_without_tokens_is_not_spooled(
    make_world: Callable[..., World], switch: Switch
) -> None:
    """Nothing would be lost with it: the sweep makes the row due again."""
    world = make_world()
    world.connect(expires_in=0)

    def answer(_request: TokenRequest) -> Reply:
        switch.off()
        world.services.stopping.set()
        return Reply(503)

    claims = world.claim()
    world.script.answer = answer
    assert refresh(world.services, claims)["spooled"] == 0
    assert world.services.spool.entries() == []


def test_an_entry_that_cannot_be_read_holds_nobody_up(
    make_world: Callable[..., World], switch: Switch, tmp_path: Path
) -> None:
    """O21: what another version wrote, or half a line, is set aside; the pair behind it is stored."""
    world = make_world()
    world.services.spool.put(['{"half": ', '{"another": "version"}'])
    id_ = lose_postgres_in_flight(world, switch, stopping=True)
    sweep(world)
    assert world.token(id_, "refresh_token") == "refresh-1"
    assert world.services.spool.entries() == []
    assert len((tmp_path / "spool.unreadable").read_text().splitlines()) == 2


def test_a_spool_that_is_emptied_twice_stores_once(
    make_world: Callable[..., World], switch: Switch
) -> None:
    """Two schedulers, or one killed between storing and forgetting: the second finds it done."""
    world = make_world()
    id_ = lose_postgres_in_flight(world, switch, stopping=True)
    entries = world.services.spool.entries()
    drain(world.services)
    world.services.spool.put(entries)
    drain(world.services)
    assert world.events(id_) == ["imported", "refreshed"]
    assert world.one("select count(*) as n from quarantine").n == 0
    assert world.row(id_).credential_version == 2
