"""Folders for servers, and processes that use them."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refresher.devkit.postgres import EmbeddedPostgres
from tests.devkit.postgres.kit import USER, wait_for_clean_stop
from tests.processes import Process, Spawner


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    """A folder that the server's account can reach, also as root (pytest's own it cannot)."""
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        folder = Path(name).resolve() / "postgres"
        yield folder
        if (folder / "data").is_dir():
            wait_for_clean_stop(folder)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A database directory as a first start leaves it."""
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        folder = Path(name).resolve() / "postgres"
        with EmbeddedPostgres(folder):
            pass
        yield folder


@pytest.fixture
def folder(prepared: Path, empty_folder: Path) -> Path:
    """A copy of `prepared`, which is quicker than a first start."""
    subprocess.run(["cp", "-a", prepared, empty_folder], check=True)
    return empty_folder


@pytest.fixture
def start_user(spawn: Spawner) -> Callable[[Path], Process]:
    """Starts another process that uses the server of a folder."""

    def start(folder: Path) -> Process:
        process = spawn("-c", USER, str(folder))
        process.wait_for("up guard=")
        return process

    return start
