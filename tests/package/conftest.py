"""What is built and installed for these tests, once for all the workers of a run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.package.kit import Installed, build, empty_folder, fetch, install, wheel_in

Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once() -> Iterator[Once]:
    """Has something made in a folder of its own by whichever worker comes first; the others wait.

    Apart from pytest's own folders, which another run may clear away; the last worker removes it all.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    shared = Path(tempfile.gettempdir()) / f"refresher-tests-package-{run}"
    shared.mkdir(mode=0o700, exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / name
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / ".made").exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                (folder / ".made").touch()
        return folder

    with (shared / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield made
        with suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(shared)


@pytest.fixture(scope="session")
def dist(once: Once) -> Path:
    """A folder with the sdist, and the wheel that is made of it, as they are published."""
    return once("dist", build)


@pytest.fixture(scope="session")
def wheels(once: Once, dist: Path) -> Path:
    """A folder with the wheel and all that it needs with its own PostgreSQL."""
    return once("wheels", lambda folder: fetch(wheel_in(dist), folder))


@pytest.fixture(scope="session")
def installed(once: Once, wheels: Path) -> Installed:
    """The wheel as people install it, into an empty environment."""
    return Installed(once("venv", lambda folder: install(folder, wheels, "refresher[embedded]")))


@pytest.fixture(scope="session")
def sdk_alone(once: Once, wheels: Path) -> Installed:
    """The wheel with httpx and nothing else of what it names."""

    def make(folder: Path) -> None:
        install(folder, wheels, "httpx")
        install(folder, wheels, "--no-deps", "refresher")

    return Installed(once("sdk", make))


@pytest.fixture
def empty() -> Iterator[Path]:
    """An empty folder, apart from everything."""
    with empty_folder() as folder:
        yield folder
