"""How the processes start, serve their health, and stop: real ones, on real services."""

import os
import subprocess
import sys
import time
from typing import Any

import httpx
import psycopg
import pytest

from refresher.runtime.cipher import new_key
from tests import loopback
from tests.ports import free_port
from tests.processes import Process, Spawner
from tests.services import PostgresServer, RedisServer
from tests.waiting import wait_until

SCHEDULER = ("-m", "refresher.scheduler")
STATUS_TOKEN = "a-token-for-the-status-page"
WORKER = ("-m", "dramatiq", "refresher.actors", "--processes", "1", "--threads", "2")


@pytest.fixture
def settings(database_url: str, redis_url: str) -> dict[str, str]:
    """The settings of a deployment on Redis."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "PORT": str(free_port()),
        "REFRESHER_STATUS_TOKEN": STATUS_TOKEN,
    }


def ask(settings: dict[str, str], path: str) -> httpx.Response | None:
    """Asks a process's health page; None while it does not answer."""
    try:
        token = {"Authorization": f"Bearer {STATUS_TOKEN}"}
        return loopback.get(f"http://127.0.0.1:{settings['PORT']}{path}", headers=token)
    except httpx.HTTPError:
        return None


def status(settings: dict[str, str]) -> dict[str, Any]:
    """Waits for a process to be registered, and returns its status page."""
    found: dict[str, Any] = {}

    def registered() -> bool:
        answer = ask(settings, "/health/status")
        found.update(answer.json() if answer is not None else {})
        return bool(found.get("registered"))

    wait_until(registered, reason=lambda: str(found))
    return found


@pytest.mark.parametrize("command", [SCHEDULER, WORKER, ("-m", "refresher.web")])
def test_each_process_serves_its_health_and_stops_cleanly(
    command: tuple[str, ...], settings: dict[str, str], spawn: Spawner
) -> None:
    """`/health` and `/health/status` answer; SIGTERM ends with 0 and leaves nothing registered."""
    process = spawn(*command, env=settings)
    found = status(settings)
    answer = ask(settings, "/health")
    assert answer is not None
    assert answer.status_code == 200
    assert found["database"]["ok"]
    assert found["queue"] == {
        "transport": "redis", "name": "integration_refresh", "ok": True, "depth": 0,
    }  # fmt: skip
    assert found["notifications"] == {
        name: {
            "enabled": True, "transport": "in_process", "name": name, "ok": True, "depth": 0,
            "unread": 0, "waiting": 0, "failed": 0,
        }
        for name in ("notification_email", "webhook_delivery")
    }  # fmt: skip
    process.terminate()
    assert process.wait() == 0, process.output
    with psycopg.connect(plain(settings)) as db:
        assert db.execute("select count(*) from worker where stopped_at is null").fetchone() == (0,)


def test_a_worker_with_nothing_to_do_says_so(settings: dict[str, str], spawn: Spawner) -> None:
    """With the transport in_process, `dramatiq refresher.actors` ends in one sentence."""
    settings["REFRESHER_INTEGRATION_REFRESH__TRANSPORT"] = "in_process"
    process = spawn(*WORKER, env=settings)
    assert process.wait() != 0
    last_words(process, "is in_process: the scheduler runs the actors itself")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"REDIS_URL": ""}, "REDIS_URL is not set"),
        ({"REFRESHER_ENCRYPTION_KEYS": ""}, "`refresher encryption new-key` prints a key"),
        ({"REFRESHER_ENCRYPTION_KEYS": "short"}, "not 32 bytes"),
        ({"REFRESHER_LEASE_SECONDS": "30"}, "REFRESHER_HTTP_TOTAL_SECONDS (20)"),
        ({"REFRESHER_LEASE_SECOND": "30"}, 'did you mean "REFRESHER_LEASE_SECONDS"'),
        ({"REFRESHER_PROVIDERS_FILE": "/no/such/file.toml"}, "/no/such/file.toml"),
    ],
)
@pytest.mark.parametrize("command", [SCHEDULER, WORKER])
def test_a_wrong_setting_ends_in_one_sentence(
    command: tuple[str, ...],
    wrong: dict[str, str],
    sentence: str,
    settings: dict[str, str],
    spawn: Spawner,
) -> None:
    """No traceback for a user's mistake, and a non-zero exit."""
    process = spawn(*command, env=settings | wrong)
    assert process.wait() != 0
    last_words(process, sentence)


def last_words(process: Process, sentence: str) -> None:
    """Asserts what an ended process said; Dramatiq passes its workers' words on a little later."""
    wait_until(lambda: sentence in process.output, reason=lambda: process.output)
    assert "Traceback" not in process.output


def test_a_scheduler_waits_for_a_database_that_comes_later(
    settings: dict[str, str], bare_database_url: str, spawn: Spawner
) -> None:
    """A deploy starts everything at once: not migrated yet is told, and then it goes on."""
    settings["DATABASE_URL"] = bare_database_url
    process = spawn(*SCHEDULER, env=settings)
    process.wait_for("waiting for the database")
    assert "refresher migrate" in process.output
    migration = spawn("-m", "refresher", "migrate", env=settings)
    assert migration.wait() == 0, migration.output
    assert status(settings)["database"]["ok"]


def test_a_database_that_is_away_is_no_reason_to_restart(
    settings: dict[str, str], postgres: PostgresServer, spawn: Spawner
) -> None:
    """`/health` stays 200, `/health/status` tells, and the process goes on when it is back."""
    process = spawn(*SCHEDULER, env=settings)
    status(settings)
    postgres.immediate_stop()
    try:
        wait_until(lambda: _database(settings)["ok"] is False)
        answer = ask(settings, "/health")
        assert answer is not None
        assert answer.status_code == 200
    finally:
        postgres.start()
    await_tick(settings)
    assert _database(settings)["ok"]
    assert process.is_running()


def test_a_redis_that_is_away_is_told_and_dispatch_resumes(
    settings: dict[str, str], redis_server: RedisServer, spawn: Spawner
) -> None:
    """The scheduler outlives Redis, and ticks again when it is back."""
    process = spawn(*SCHEDULER, env=settings)
    status(settings)
    redis_server.kill()
    try:
        process.wait_for("a tick failed; again soon")
        assert status(settings)["queue"]["ok"] is False
    finally:
        redis_server.start()
    await_tick(settings)


def await_tick(settings: dict[str, str]) -> None:
    """Returns once a tick has succeeded that ended after this call."""
    since = time.monotonic()

    def has_ticked() -> bool:
        before = time.monotonic()
        return bool(status(settings)["tick_age_seconds"] < before - since)

    wait_until(has_ticked)


def _database(settings: dict[str, str]) -> dict[str, Any]:
    answer = ask(settings, "/health/status")
    return dict(answer.json()["database"]) if answer is not None else {"ok": None}


def plain(settings: dict[str, str]) -> str:
    """Returns the database's URL without SQLAlchemy's driver."""
    return settings["DATABASE_URL"].replace("+psycopg", "")


def test_the_second_signal_ends_at_once(settings: dict[str, str], spawn: Spawner) -> None:
    """An impatient operator gets an end, and the journal keeps what was in flight."""
    process: Process = spawn(*SCHEDULER, env=settings)
    status(settings)
    os.kill(process.pid, 15)
    os.kill(process.pid, 15)
    assert process.wait() in {0, 128 + 15}


def test_what_a_process_loaded_is_searched_for_cycles_no_more() -> None:
    """A search through all libraries would keep every caller waiting; garbage is still found."""
    code = (
        "import gc; from refresher.runtime.process import COLLECT_AFTER, spare_collections\n"
        "spare_collections()\n"
        "assert gc.get_freeze_count() > 10_000 and gc.get_threshold() == COLLECT_AFTER\n"
        "loop = []; loop.append(loop); del loop\n"
        "assert gc.isenabled() and gc.collect() >= 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.slow
def test_a_job_that_fails_again_and_again_is_told(settings: dict[str, str], spawn: Spawner) -> None:
    """By `/health/status` and `doctor`, with the reason; not by `/health`: a restart would not help."""
    process = spawn(*SCHEDULER, env=settings)
    status(settings)
    with psycopg.connect(plain(settings), autocommit=True) as db:
        db.execute("alter table mail_slot rename column next_at to away")
        wait_until(lambda: "mail" in status(settings)["ticks"], reason=lambda: process.output)
        found = status(settings)
        assert found["ok"] is False
        assert any(fault.startswith("the job mail failed ") for fault in found["faults"])
        reason = "Postgres has other tables than this version needs"
        assert found["ticks"]["mail"]["reason"] == reason
        answer = ask(settings, "/health")
        assert answer is not None
        assert (answer.status_code, answer.json()["faults"]) == (200, [])
        noted = "select failing ? 'mail' from worker"
        wait_until(lambda: db.execute(noted).fetchone() == (True,))
        db.execute("alter table mail_slot rename column away to next_at")
        wait_until(lambda: db.execute(noted).fetchone() == (False,))
