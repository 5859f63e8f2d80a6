"""What hangs holds nobody up: pages answer and processes end beside a Postgres that is suspended."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from refresher.errors import DatabaseUnavailable, RefresherError
from refresher.runtime.cipher import new_key
from refresher.runtime.deadlines import Look
from refresher.runtime.process import starting
from refresher.store import connecting
from refresher.store.pool import Pool
from refresher.store.session import Database
from refresher.store.workers import LOCK_CLASS
from tests import loopback
from tests.frozen import frozen
from tests.ports import free_port
from tests.processes import Process, Spawner
from tests.services import PostgresServer
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.slow,
]
SCHEDULER = ("-m", "refresher.scheduler")
WEB = ("-m", "refresher.web")
WORKER = ("-m", "dramatiq", "refresher.actors", "--threads", "2", "--processes")
TOKEN = {"Authorization": "Bearer a-token-for-the-status-page"}
PROMISED_SECONDS = 40.0
"""What our documents tell a platform to wait before it kills."""
SOON_SECONDS = 35.0
"""Seconds, on a machine where everything may take several times as long."""


@pytest.fixture
def settings(database_url: str, redis_url: str) -> dict[str, str]:
    """The settings of a deployment on Redis, without ports."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_STATUS_TOKEN": TOKEN["Authorization"].removeprefix("Bearer "),
    }


def ask(port: str, path: str, limit_seconds: float) -> httpx.Response:
    """Asks a page, and waits for the answer for so long."""
    return loopback.get(f"http://127.0.0.1:{port}{path}", headers=TOKEN, timeout=limit_seconds)


def is_up(port: str) -> bool:
    """Whether a process is registered."""
    try:
        return bool(ask(port, "/health/status", 10).json()["registered"])
    except httpx.HTTPError:
        return False


def await_up(port: str, spawn: Spawner) -> None:
    """Returns once a process is registered."""
    wait_until(lambda: is_up(port), reason=spawn.outputs)


def lives(port: str) -> bool:
    """Whether anybody answers there, ready or not."""
    try:
        return ask(port, "/health", 10).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_a_frozen_postgres_holds_nobody_up(
    settings: dict[str, str], postgres: PostgresServer, spawn: Spawner
) -> None:
    """`/health` answers within 2 s, status and metrics within 3; SIGTERM ends all within 40 s."""
    # Given a scheduler, a worker and a web process that work
    ports = [str(free_port()) for _ in range(3)]
    commands = (SCHEDULER, (*WORKER, "1"), WEB)
    all_ = [
        spawn(*command, env=settings | {"PORT": port})
        for command, port in zip(commands, ports, strict=True)
    ]
    for port in ports:
        await_up(port, spawn)
    # When every process of Postgres is suspended, for longer than a tick may be late
    with frozen(postgres):
        until = time.monotonic() + 35
        while time.monotonic() < until:
            for port in ports:
                health = ask(port, "/health", 2.0)
                assert (health.status_code, health.json()["faults"]) == (200, [])
                told = ask(port, "/health/status", 3.0).json()
                assert ask(port, "/metrics", 3.0).status_code == 200
            assert told["database"] == {"ok": False, "error": "Postgres does not answer"}
            time.sleep(2.0)
        # Then all end when they are asked to
        for process in all_:
            process.terminate()
        asked_at = time.monotonic()
        for process in all_:
            process.wait(PROMISED_SECONDS - (time.monotonic() - asked_at))
    # And none filled the log meanwhile
    outputs = spawn.outputs()
    assert "maximum number of running instances" not in outputs
    assert "Traceback" not in outputs


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word, as a server does that is suspended."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    "silent", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["closed", "silent"]
)
@pytest.mark.parametrize(
    ("command", "more"),
    [
        (SCHEDULER, {}),
        (WEB, {}),
        (WEB, {"REFRESHER_WEB_PROCESSES": "2"}),
        ((*WORKER, "1"), {}),
        ((*WORKER, "4"), {}),
    ],
    ids=["scheduler", "web", "two web processes", "worker", "four workers"],
)
def test_who_waits_for_the_database_ends_when_asked(
    command: tuple[str, ...],
    more: dict[str, str],
    silent: bool,
    silent_port: int,
    settings: dict[str, str],
    spawn: Spawner,
) -> None:
    """Within seconds, and not after the minute that it would have waited."""
    port = silent_port if silent else free_port()
    settings["DATABASE_URL"] = f"postgresql://nobody@127.0.0.1:{port}/nothing"
    page = str(free_port())
    process = spawn(*command, env=settings | {"PORT": page} | more)
    wait_until(lambda: lives(page), reason=lambda: process.output)
    process.terminate()
    process.wait(SOON_SECONDS)
    assert "Traceback" not in process.output


def test_the_second_signal_ends_whatever_hangs(
    settings: dict[str, str], postgres: PostgresServer, spawn: Spawner
) -> None:
    """At once: the process does not even look whether something is in its hands."""
    port = str(free_port())
    process: Process = spawn(*SCHEDULER, env=settings | {"PORT": port})
    wait_until(lambda: is_up(port), reason=lambda: process.output)
    with frozen(postgres):
        process.terminate()
        time.sleep(0.5)  # else the two would be one
        process.terminate()
        assert process.wait(10) == 128 + signal.SIGTERM


def test_a_statement_ends_on_our_side(
    database_url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a server that hangs it is `DatabaseUnavailable`; afterwards the pool works as before."""
    monkeypatch.setattr(connecting, "BEYOND_SECONDS", 0.2)
    database = Pool(database_url, statement_timeout_seconds=0.3)
    with database.transaction() as db:
        db.exec_driver_sql("select 1")
    with frozen(postgres), pytest.raises(DatabaseUnavailable, match="no answer within"):
        select_one(database)
    with database.transaction() as db:
        assert db.exec_driver_sql("select 1").scalar_one() == 1
    database.close()


def test_a_session_that_waits_outlasts_a_hang_until_it_must_hurry(
    database_url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of a living process is not given up because the server hangs."""
    monkeypatch.setattr(connecting, "HURRIED_SECONDS", 0.2)
    database = Pool(database_url, statement_timeout_seconds=0.01)
    with database.session(waits=True) as db:
        db.exec_driver_sql("select pg_sleep(0.0)")
    with pytest.raises(DatabaseUnavailable, match="no answer within"):
        hang_in_session(database, postgres)
    database.close()


def select_one(database: Database) -> None:
    """Asks for next to nothing."""
    with database.transaction() as db:
        db.exec_driver_sql("select 1")


def hang_in_session(database: Pool, postgres: PostgresServer) -> None:
    """Asks a server that hangs, in a session that waits, while the process must stop."""
    with database.session(waits=True) as db, frozen(postgres):
        database.hurry()
        db.exec_driver_sql("select 1")


def test_a_look_is_shared_and_never_waited_for_long() -> None:
    """Who asks while somebody asks gets the same answer; one that does not come is None."""
    answers: list[int] = []
    may_answer = [False]

    def ask() -> int:
        wait_until(lambda: may_answer[0])
        answers.append(1)
        return len(answers)

    look = Look(ask, patience_seconds=0.1)
    assert [look(), look()] == [None, None]
    may_answer[0] = True
    wait_until(lambda: answers)
    wait_until(lambda: look() is not None)
    assert len(answers) >= 2


def test_what_a_look_raises_is_raised_where_it_is_asked() -> None:
    """A bug is not taken for a server that hangs."""
    look = Look(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        look()


def test_any_error_at_the_start_ends_the_worker(settings: dict[str, str], spawn: Spawner) -> None:
    """One sentence and not 0; Dramatiq's first process ends with it instead of serving unregistered."""
    command = ("-m", "dramatiq", "tests.broken_worker", "--processes", "2", "--threads", "1")
    process = spawn(*command, env=settings)
    assert process.wait() == 1, process.output
    sentence = "refresher: the worker cannot start: ZeroDivisionError: nobody foresaw this\n"
    wait_until(lambda: sentence in process.output, reason=lambda: process.output)
    assert "Traceback" not in process.output


@pytest.mark.parametrize(("role", "error"), [("scheduler", OSError(24, "Too many")), ("web", 1)])
def test_any_error_at_a_start_is_one_sentence(role: str, error: object) -> None:
    """Without the lines of a traceback; what is a sentence already stays."""
    given = error if isinstance(error, Exception) else DatabaseUnavailable("away")
    with pytest.raises(RefresherError) as raised, starting(role):
        raise given
    told = str(raised.value)
    assert told in {"the scheduler cannot start: OSError: [Errno 24] Too many", "away"}


def test_a_worker_without_a_temporary_folder_counts_alone(
    settings: dict[str, str], spawn: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics of this process only, as where the folder is somebody else's; it works all the same."""
    import tempfile  # noqa: PLC0415

    from refresher.runtime.metrics import shared  # noqa: PLC0415

    def none_usable() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.delenv(shared.VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", none_usable)
    assert shared.join_folder(os.getppid()) is None


def test_the_liveness_lock_outlasts_a_freeze(
    settings: dict[str, str], postgres: PostgresServer, spawn: Spawner
) -> None:
    """A server that hangs and goes on finds the same session with the same lock."""
    port = str(free_port())
    process = spawn(*SCHEDULER, env=settings | {"PORT": port})
    wait_until(lambda: is_up(port), reason=lambda: process.output)
    plain = settings["DATABASE_URL"].replace("+psycopg", "")
    # Of two numbers (objsubid 2): a turn of work is a lock of one number, with the same beginning.
    lock = f"select pid from pg_locks where classid = {LOCK_CLASS} and objsubid = 2 and granted"
    with psycopg.connect(plain, autocommit=True) as db:
        before = db.execute(lock).fetchall()
        with frozen(postgres):
            time.sleep(3)
        assert db.execute(lock).fetchall() == before
