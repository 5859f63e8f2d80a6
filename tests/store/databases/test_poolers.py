"""Behind a real PgBouncer: in session mode as it comes, in transaction mode without locks."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from refresher.errors import SettingsError
from refresher.runtime.liveness import Heartbeat
from refresher.store import migrate
from refresher.store.pool import Pool
from refresher.store.serving import Lane
from tests.chaos.deployment import Deployment, Plan
from tests.chaos.ground import Ground
from tests.chaos.referee import judge
from tests.guard import Guard
from tests.ports import free_port
from tests.processes import Spawner
from tests.services import plain
from tests.store.databases.conftest import Through
from tests.store.databases.pgbouncer import Mode
from tests.waiting import wait_until
from tests.world import World

OURS: dict[Mode, dict[str, Any]] = {"session": {}, "transaction": {"liveness_lock": False}}
"""What an installation must set behind a pooler in each mode."""
SHOWN = "select current_setting('statement_timeout'), current_setting('timezone')"


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_as_it_comes_is_enough(
    mode: Mode, bare_database_url: str, through: Through, postgres: Any
) -> None:
    """Migrating, refreshing and a heartbeat work, with our time-outs and in UTC, everywhere."""
    # Given a database with a zone of its own, behind a pooler
    set_zone(bare_database_url)
    migrate.upgrade(url := through(bare_database_url, mode))
    with closing(World(url, statement_timeout_seconds=7, **OURS[mode])) as world:
        # When a process lives there and refreshes
        heartbeat = Heartbeat(world.services, "scheduler")
        heartbeat.start()
        connection = world.connect(expires_in=0)
        for _ in range(7):  # more often than it takes for a statement to be prepared
            world.pass_time(3600)
            world.tick()
        # Then it is registered, its token is new, and each way to ask has our settings
        assert heartbeat.healthy
        assert world.token(connection) == "access-7"
        heartbeat.stop()
        database = world.services.database
        database.simulated_now = None
        with database.transaction() as db:
            assert db.execute(text(SHOWN)).one() == ("7s", "UTC")
        with database.reading() as db:
            assert db.execute(text(SHOWN)).one() == ("7s", "UTC")


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_an_event_loop_s_session_works_behind_a_pooler(
    mode: Mode, database_url: str, through: Through
) -> None:
    """Tokens are read again and again, whichever server process answers."""
    with closing(World(through(database_url, mode), **OURS[mode])) as world:
        id_ = world.connect("a")
        lanes = [Lane(world.services.database) for _ in range(3)]
        for _ in range(4):
            for lane in lanes:
                assert (id_, None) in await lane.stored_many([(id_, None)])
        for lane in lanes:
            lane.close()


def test_transaction_mode_leaves_nothing_behind(database_url: str, through: Through) -> None:
    """Whoever gets the server process next finds its settings, and no statement or lock of ours."""
    url = through(database_url, "transaction")
    with closing(World(url, liveness_lock=False, database_schema="public")) as world:
        for n in range(8):
            world.connect(f"c{n}", expires_in=0)
            world.tick()
        with psycopg.connect(plain(url), prepare_threshold=None) as stranger:
            left = stranger.execute(
                "select current_setting('statement_timeout'), current_setting('search_path'), "
                "current_setting('plan_cache_mode'), (select count(*) from pg_prepared_statements), "
                "(select count(*) from pg_locks where locktype = 'advisory')"
            ).fetchone()
        assert left == ("0", '"$user", public', "auto", 0, 0)


def test_a_lock_that_no_session_keeps_is_refused(database_url: str, through: Through) -> None:
    """With the liveness lock on, transaction mode is one sentence that says what to set."""
    url = through(database_url, "transaction")
    with (
        closing(Pool(url)) as database,
        pytest.raises(SettingsError, match=r"transaction mode.*REFRESHER_LIVENESS_LOCK to false"),
        database.transaction(),
    ):
        pass
    # And it was refused before anything of ours was left there
    with psycopg.connect(plain(url)) as stranger:
        assert stranger.execute("show statement_timeout").fetchone() == ("0",)


@pytest.mark.parametrize("command", ["-m refresher.scheduler", "-m dramatiq refresher.actors -p 1"])
def test_a_process_says_so_and_ends(
    command: str, database_url: str, redis_url: str, through: Through, spawn: Spawner
) -> None:
    """The processes end with that sentence at once, without a traceback."""
    environment = {
        "DATABASE_URL": through(database_url, "transaction"),
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "PORT": str(free_port()),
    }
    process = spawn(*command.split(), env=environment)
    assert process.wait() != 0
    wait_until(
        lambda: "pooler in transaction mode" in process.output, reason=lambda: process.output
    )
    assert "Traceback" not in process.output


def test_commands_work_whatever_the_pooler(
    database_url: str, through: Through, spawn: Spawner
) -> None:
    """A command keeps no session, so it works in transaction mode with the lock on, too."""
    command = spawn(
        "-m", "refresher", "connections", "list",
        env={"DATABASE_URL": through(database_url, "transaction")},
    )  # fmt: skip
    assert command.wait() == 0, command.output


class PooledGround(Ground):
    """A ground whose databases are reached through a pooler."""

    def __init__(self, guard: Guard, folder: Path, through: Through, mode: Mode) -> None:
        super().__init__(guard, folder)
        self._through, self._mode = through, mode

    def database(self) -> str:
        """Returns the URL of a fresh, migrated database, through the pooler."""
        return self._through(super().database(), self._mode)


class Registered(Deployment):
    """A deployment that is whole when its processes are registered: without locks none tells more."""

    def wait_until_whole(self) -> None:
        """Waits until the scheduler and every worker are registered."""
        registered = "select count(*) from worker where stopped_at is null"
        wait_until(
            lambda: self.number(registered) > self.plan.workers, 120, self.ground.spawn.outputs
        )


@pytest.fixture
def deployment(mode: Mode, guard: Guard, tmp_path: Path, through: Through) -> Iterator[Deployment]:
    """Real processes behind a pooler, at a provider that ends the family of a spent token."""
    settings = {**OURS[mode], "lease_seconds": 15, "attempt_timeout_seconds": 30}
    plan = Plan(connections=60, lifetime_seconds=5, grace_seconds=0, settings=settings)
    with (
        PooledGround(guard, tmp_path, through, mode) as ground,
        Registered(ground, plan) as made,
    ):
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_processes_work_for_lives_behind_a_pooler(deployment: Deployment) -> None:
    """A scheduler and two workers refresh sixty connections over five lives: no error, none lost."""
    refreshed = "select count(*) from refresh_event where kind = 'refreshed'"
    wait_until(lambda: deployment.number(refreshed) >= 5 * 60, 120, deployment.ground.spawn.outputs)
    deployment.settle_down()
    verdict = judge(deployment)
    said = deployment.ground.spawn.outputs()
    assert (verdict.lost, verdict.interrupted, verdict.double_spent) == (0, 0, 0)
    assert '"level": "error"' not in said
    assert "prepared statement" not in said
    assert "lost the liveness lock" not in said


def set_zone(url: str) -> None:
    """Gives the database itself another zone."""
    with psycopg.connect(plain(url), autocommit=True) as db:
        name = db.info.dbname
        db.execute(f"alter database \"{name}\" set timezone = 'America/St_Johns'".encode())


def test_options_that_a_pooler_refuses_are_told(
    database_url: str, through: Through, spawn: Spawner
) -> None:
    """What somebody asked for is not silently left out: doctor says who refuses what."""
    url = f"{through(database_url, 'session')}?options=-csearch_path%3Dpublic"
    doctor = spawn("-m", "refresher", "doctor", env={"DATABASE_URL": url})
    assert doctor.wait() == 1
    assert "ignore_startup_parameters" in doctor.output
