"""The web process with several processes on one port: real ones, with real signals."""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from refresher.runtime.cipher import new_key
from tests.ports import free_port
from tests.processes import Spawner
from tests.services import plain
from tests.waiting import wait_until


@pytest.fixture
def settings(database_url: str) -> dict[str, str]:
    """Two web processes on a free port."""
    return {
        "DATABASE_URL": database_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "REFRESHER_WEB_PROCESSES": "2",
        "PORT": str(free_port()),
    }


def processes(settings: dict[str, str]) -> set[int]:
    """The numbers of the web processes that are registered."""
    with psycopg.connect(plain(settings["DATABASE_URL"])) as db:
        found = db.execute(
            "select process_id from worker where role = 'web' and stopped_at is null"
        )
        return {row[0] for row in found}


@pytest.mark.slow
def test_several_processes_share_a_port(settings: dict[str, str], spawn: Spawner) -> None:
    """Each serves; one that is killed is started again; SIGTERM ends all of them with 0."""
    web = spawn("-m", "refresher.web", env=settings)
    wait_until(lambda: len(processes(settings)) == 2, 30, lambda: web.output)
    url = f"http://127.0.0.1:{settings['PORT']}"
    assert httpx.get(f"{url}/health", trust_env=False).json()["ok"]
    assert httpx.get(f"{url}/v1/whoami", trust_env=False).status_code == 401
    before = processes(settings)
    os.kill(min(before), signal.SIGKILL)
    web.wait_for("a web process ended; starting it again")
    wait_until(lambda: len(processes(settings) - before) == 1, 30, lambda: web.output)
    web.terminate()
    assert web.wait() == 0, web.output
    assert max(before) not in processes(settings)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they share one socket")
def test_connections_are_spread_evenly(settings: dict[str, str], spawn: Spawner) -> None:
    """Neither process has nearly all of them: a core would stand idle while the other is behind."""
    web = spawn("-m", "refresher.web", env=settings)
    wait_until(lambda: len(processes(settings)) == 2, 30, lambda: web.output)
    port, children = int(settings["PORT"]), processes(settings)

    def held() -> list[int]:
        return [len(connections(child, port)) for child in children]

    with ExitStack() as stack:
        for _ in range(64):  # nothing is asked, so none is closed
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        wait_until(lambda: sum(held()) == 64, 30, lambda: str(held()))
        assert min(held()) >= 16  # four standard deviations below half


def connections(process_id: int, port: int) -> set[str]:
    """The connections to a port that a process holds open."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    open_files = [str(f.readlink()) for f in Path(f"/proc/{process_id}/fd").iterdir()]
    return there & {name.removeprefix("socket:[").removesuffix("]") for name in open_files}


@pytest.mark.slow
def test_a_port_that_is_taken_is_told(settings: dict[str, str], spawn: Spawner) -> None:
    """Also by a service of the same kind: two must not answer in turns."""
    first = spawn("-m", "refresher.web", env=settings)
    wait_until(lambda: len(processes(settings)) == 2, 30, lambda: first.output)
    second = spawn("-m", "refresher.web", env=settings)
    assert second.wait() == 2
    assert f"PORT is {settings['PORT']}, where another process listens already" in second.output


@pytest.mark.slow
def test_what_no_start_can_mend_ends_them_all(settings: dict[str, str], spawn: Spawner) -> None:
    """A wrong setting is told in a sentence, and the exit code is that of one process."""
    settings["REFRESHER_ENCRYPTION_KEYS"] = "short"
    web = spawn("-m", "refresher.web", env=settings)
    assert web.wait() == 2
    assert "not 32 bytes" in web.output
    assert "Traceback" not in web.output
