"""A folder for `refresher up`, and the command itself as a process."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from refresher.devkit.handed_on import read_environment
from tests.devkit.postgres.kit import wait_for_clean_stop
from tests.ports import free_port
from tests.processes import Process, Spawner


@pytest.fixture
def directory() -> Iterator[Path]:
    """A data directory that does not exist yet, where the server's account can reach it."""
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        folder = Path(name).resolve() / "data"
        yield folder
        if (folder / "postgres" / "data").is_dir():
            wait_for_clean_stop(folder / "postgres")


class Up:
    """`refresher up` as a process, and what it told of itself."""

    def __init__(self, spawn: Spawner, directory: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        ours = {
            "REFRESHER_DATA_DIRECTORY": str(directory),
            "REFRESHER_LOG_FORMAT": "json",
            "PORT": str(free_port()),
        }
        self.process: Process = spawn("-m", "refresher", "up", "--json", env=ours | dict(env))

    @property
    def told(self) -> list[dict[str, Any]]:
        """What it said it runs, once for each time it started (it may start itself again)."""
        lines = [line for line in self.process.output.splitlines() if '"environment_file"' in line]
        return [json.loads(line) for line in lines]

    @property
    def environment(self) -> dict[str, str]:
        """What it hands to other commands."""
        return read_environment(self.directory)


@pytest.fixture
def start_up(directory: Path, spawn: Spawner) -> Callable[..., Up]:
    """Starts `refresher up` on the test's directory and returns once it runs.

    In this order, so that what was started has ended when the directory goes.
    """

    def start(**env: str) -> Up:
        up = Up(spawn, directory, env)
        up.process.wait_for("scheduler started")
        up.process.wait_for('"environment_file"')
        return up

    return start
