"""Every command of every page runs, in a shell, and prints what the page shows."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from refresher.devkit.browser import Browser
from refresher.devkit.oauth_server import FakeProvider
from tests.devkit.conftest import Up
from tests.devkit.postgres.kit import wait_for_clean_stop
from tests.docs.blocks import PAGES, ROOT, Command, blocks, commands, is_as_shown
from tests.docs.shell import Shell
from tests.docs.staging import Words, stage
from tests.guard import Guard
from tests.ports import free_port
from tests.processes import OURS, Spawner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
BIN = Path(sys.executable).parent
WITH_COMMANDS = [page for page in PAGES if any(b.language == "console" for b in blocks(page))]
LINK = re.compile(r"http://\S+/connect/[\w-]+")


class Taken(BaseHTTPRequestHandler):
    """Takes webhooks."""

    def do_POST(self) -> None:
        """Answers 200."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@dataclass
class Around:
    """What is around the pages: a provider, somebody who takes webhooks, a refresher that runs."""

    given: dict[str, str]
    env: dict[str, str]
    """What the refresher that runs told."""


def consents(printed: Callable[[], str], goes_on: Callable[[], bool]) -> None:
    """Does what a person does when a command prints a link to connect an account."""
    while goes_on():
        link = LINK.search(printed())
        if link is not None and "\n" in printed()[link.end() :]:
            with Browser() as ann:
                ann.open(link[0])
                ann.submit()
            return
        time.sleep(0.1)


@pytest.fixture(scope="module")
def around(guard: Guard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    """One provider, one refresher and one connection for all pages that only look."""
    with ExitStack() as stack:
        provider = stack.enter_context(FakeProvider())
        provider.admin.change_options(tell_issuer=True, pkce="required", metadata="right")
        hooks = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Taken))
        threading.Thread(target=hooks.serve_forever, daemon=True).start()
        stack.callback(hooks.shutdown)
        folder = _folder(stack)
        stack.callback(wait_for_clean_stop, folder / "data" / "postgres")
        spawn = Spawner(guard, tmp_path_factory.mktemp("up"))
        stack.callback(spawn.close)
        up = Up(spawn, folder / "data", {})
        up.process.wait_for('"environment_file"')
        given = {
            "issuer": provider.url,
            "hooks": f"http://localhost:{hooks.server_port}/hooks",
            "root": str(ROOT),
            "venv": str(BIN.parent),
        }
        ready = Around(given, dict(up.environment))
        with Shell(folder, _environment() | ready.env, consents) as shell:
            shell.run(f"refresher connect {provider.url} --external-id ann")
        yield ready


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_run(page: str, around: Around) -> None:
    """Each ends with 0 and prints what is shown; Python between them is a file that they run."""
    with ExitStack() as stack:
        folder = _folder(stack)
        whole = blocks(page)
        own = any(c.is_left_running for b in whole if b.language == "console" for c in commands(b))
        stack.callback(_stopped, folder)
        port, other = str(free_port()), str(free_port())
        known = {"8080": port, "9000": other} if own else {}
        words = Words(stage(page), known, around.given)
        env = _environment() | ({"PORT": port} if own else around.env)
        shell = stack.enter_context(Shell(folder, env, consents))
        for first in words.page.before:
            words.learn(shell.run(words.told(first)))
        for block in whole:
            if block.language == "python" and own:
                (folder / "ask.py").write_text(words.told(block.text))
            for one in commands(block) if block.language == "console" else ():
                _done(one, shell, words)


def _done(one: Command, shell: Shell, words: Words) -> None:
    text, where = words.command(one.text), str(one.block)
    if one.is_left_running:
        shell.leave(text, tuple(map(words.told, one.shown)), where)
        return
    printed = shell.run(text, where)
    words.learn(printed)
    shown = tuple(map(words.told, one.shown))
    told = "\n".join(shown)
    assert is_as_shown(shown, printed), f"{where}: {text}\nshows\n{told}\nbut printed\n{printed}"


def _stopped(folder: Path) -> None:
    data = folder / ".refresher" / "postgres"
    if (data / "data").is_dir():
        wait_for_clean_stop(data)


def _folder(stack: ExitStack) -> Path:
    name = stack.enter_context(tempfile.TemporaryDirectory(prefix="refresher-tests-"))
    folder = Path(name).resolve()
    folder.chmod(0o755)
    return folder


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
