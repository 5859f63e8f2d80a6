"""A newcomer's first connection: an empty folder, four commands, a server that we did not write."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from refresher.devkit.browser import Browser
from refresher.devkit.oauth_server import FakeProvider
from tests.devkit.conftest import Up
from tests.devkit.postgres.kit import wait_for_clean_stop
from tests.foreign.kit import needs_node
from tests.foreign.programs import running
from tests.guard import Guard
from tests.processes import Spawner

pytestmark = pytest.mark.slow
MOST_SECONDS = 60.0
PERSON = {"login": "ann", "password": "any"}


@contextmanager
def fake(_: Path) -> Iterator[str]:
    """Our own provider, which tells of itself, registers clients, and consents at once."""
    with FakeProvider() as provider:
        provider.admin.change_options(tell_issuer=True, pkce="required", metadata="right")
        yield provider.url


@contextmanager
def oidc_provider(folder: Path) -> Iterator[str]:
    """The one out of npm, with its login and consent pages."""
    with running("consent.mjs", folder / "log", "https://nobody.example/callback") as told:
        yield told["url"]


@pytest.mark.parametrize("server", [fake, pytest.param(oidc_provider, marks=needs_node)])
def test_from_an_empty_folder_to_a_token(
    server: Callable[[Path], AbstractContextManager[str]], guard: Guard, tmp_path: Path
) -> None:
    """`up`, its environment, `connect ISSUER`, `token`: under a minute, the person's part included."""
    with ExitStack() as stack:
        issuer = stack.enter_context(server(tmp_path))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="refresher-tests-"))
        data = Path(folder).resolve() / "data"
        stack.callback(wait_for_clean_stop, data / "postgres")
        spawn = Spawner(guard, tmp_path)
        stack.callback(spawn.close)
        began = time.monotonic()
        # When
        up = Up(spawn, data, {})
        up.process.wait_for('"environment_file"')
        words = (sys.executable, "-m", "refresher", "connect", issuer, "--no-browser")
        id_ = connected(*words, env=up.environment)
        token = command("token", id_, env=up.environment)
        # Then
        took = time.monotonic() - began
        assert token.returncode == 0, token.stderr
        assert len(token.stdout.split()) == 1
        assert took < MOST_SECONDS


def connected(*words: str, env: Mapping[str, str], folder: Path | None = None) -> str:
    """Runs `refresher connect`, does what a person does in the browser, and returns what is printed."""
    with subprocess.Popen(
        words, env=dict(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = [line for _, line in zip(range(3), process.stderr, strict=False)]
        with Browser() as ann:
            ann.open(said[2].strip())
            page = ann.submit()
            while "is connected" not in page.words:
                assert page.forms, page.words
                page = ann.submit(**(PERSON if "password" in dict(page.forms[0].fields) else {}))
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    return stdout.strip()


def command(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs another command."""
    return subprocess.run(
        [sys.executable, "-m", "refresher", *words],
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
