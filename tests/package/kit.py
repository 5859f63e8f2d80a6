"""Builds what is published, installs it apart from the checkout, and runs what is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.postgres_versions import COMPLETE

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 600.0
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

    def pip(self, *words: str | Path) -> None:
        """Runs its pip."""
        program = self.venv / "bin" / "python"
        run(program, "-m", "pip", "--quiet", *words, env=for_pip(), folder=self.venv)


def install(venv: Path, *words: str | Path) -> Installed:
    """Makes a virtual environment of this Python and has pip install that into it."""
    run(sys.executable, "-m", "venv", venv, env=bare(), folder=venv)
    made = Installed(venv)
    made.pip("install", *words)
    return made
