"""What whole deployments print: every line of every process is one JSON object."""

import json
from pathlib import Path

import httpx
import pytest

from refresher.runtime.cipher import new_key
from tests import loopback
from tests.ports import free_port
from tests.processes import Spawner
from tests.waiting import wait_until

WORKER = ("-m", "refresher.worker", "--processes", "2", "--threads", "1")


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a deployment on Redis."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_DATA_DIRECTORY": str(tmp_path),
    }


def not_json(text: str) -> list[str]:
    """The lines that are no JSON object with an event."""
    wrong = []
    for line in text.splitlines():
        try:
            assert isinstance(json.loads(line)["event"], str)
        except (ValueError, KeyError, TypeError):
            wrong.append(line)
    return wrong


@pytest.mark.slow
def test_every_line_of_every_process_is_json(settings: dict[str, str], spawn: Spawner) -> None:
    """Scheduler, two workers with Dramatiq's first process, two web processes: from start to stop."""
    commands = {
        ("-m", "refresher.scheduler"): {},
        WORKER: {},
        ("-m", "refresher.web"): {"REFRESHER_WEB_PROCESSES": "2"},
    }
    running = []
    for command, more in commands.items():
        port = str(free_port())
        running.append(spawn(*command, env=settings | {"PORT": port} | more))

        def serves(port: str = port) -> bool:
            try:
                return loopback.get(f"http://127.0.0.1:{port}/health").status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(serves, reason=spawn.outputs)
    running[1].wait_for("Worker process is ready for action")
    for process in running:
        process.terminate()
    assert [process.wait() for process in running] == [0, 0, 0], spawn.outputs()
    for process in running:
        assert not_json(process.output) == []
    assert "subprocesses" in running[1].output, "Dramatiq's first process has told something"


def test_the_last_sentence_is_json_where_that_is_asked_for(
    settings: dict[str, str], spawn: Spawner
) -> None:
    """Of a process that cannot start, whichever it is."""
    settings |= {"REFRESHER_LOG_FORMAT": "json", "REFRESHER_TICK_SECONDS": "-1"}
    for command in (("-m", "refresher.scheduler"), WORKER, ("-m", "refresher.web")):
        process = spawn(*command, env=settings)
        assert process.wait() == 2
        (line,) = process.output.splitlines()
        assert "REFRESHER_TICK_SECONDS" in json.loads(line)["event"]


def test_what_no_logger_tells_is_told_too(spawn: Spawner, settings: dict[str, str]) -> None:
    """Warnings, and errors that end a thread or the process."""
    code = (
        "import threading, warnings\n"
        "from refresher.runtime.log import adopt_all, configure\n"
        "from refresher.settings import load\n"
        "configure(load()); adopt_all()\n"
        "warnings.warn('mind the gap', stacklevel=1)\n"
        "thread = threading.Thread(target=lambda: 1 // 0)\n"
        "thread.start(); thread.join()\n"
        "raise LookupError('nobody expected this')\n"
    )
    process = spawn("-c", code, env=settings)
    assert process.wait() == 1
    assert not_json(process.output) == []
    for part in ("mind the gap", "ZeroDivisionError", "nobody expected this"):
        assert part in process.output
