"""`refresher top` as a process on a terminal of its own: keys, signals, and what is left of it."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl

import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import COMMAND, Cli
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?>=]*[a-zA-Z]|[()][A-Z0-9]|[=>]|\][^\x07]*\x07)")
LEAVES = b"\x1b[?1049l"
"""Ends the alternate screen: what stood before is there again."""
PATIENCE_SECONDS = 60.0  # no assumption: only against hanging


class Terminal:
    """A terminal of some size, with `refresher top` in it."""

    def __init__(self, cli: Cli, columns: int, rows: int, *options: str) -> None:
        self.ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.told = b""
        self._theirs = theirs
        self.process = subprocess.Popen(
            [*COMMAND, "top", "--interval", "0.2", *options],
            env={**cli.environment({}), "TERM": "xterm-256color"},
            cwd=cli.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )

    def sees(self, *texts: str) -> None:
        """Reads until all of these were written."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not all(text.encode() in ESCAPE.sub(b"", self.told) for text in texts):
            assert time.monotonic() < until, (texts, ESCAPE.sub(b"", self.told)[-3000:])
            self._read(0.2)

    def press(self, keys: bytes) -> None:
        """Types; what was written before counts no more."""
        self.told = b""
        os.write(self.ours, keys)

    def ends(self) -> int:
        """Waits for the end; returns its code, and asserts that the terminal is as it was."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < until, self.told[-3000:]
            self._read(0.1)
        self._read(0.1)
        assert LEAVES in self.told
        assert b"\x1b[?25h" in self.told, "the cursor is hidden"
        assert termios.tcgetattr(self._theirs)[:4] == self.before[:4]
        assert b"Traceback" not in self.told
        return self.process.returncode

    def close(self) -> None:
        """Ends the process, whatever happened."""
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> None:
        while select.select([self.ours], [], [], seconds)[0]:
            self.told += os.read(self.ours, 65_536)
            seconds = 0.0


@contextmanager
def running(cli: Cli, *options: str, columns: int = 100, rows: int = 30) -> Iterator[Terminal]:
    """Runs it; whatever happens to the test, the process ends with it."""
    opened = Terminal(cli, columns, rows, *options)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """A command line with two connections."""
    cli.connect("bob", "eve")
    return cli


@pytest.mark.parametrize("columns", [60, 300])
def test_keys_lead_through_it_and_q_leaves_the_terminal_as_it_was(
    filled: Cli, columns: int
) -> None:
    """From a narrow terminal to a wide one: a view, a connection, a pause, and the end."""
    with running(filled, columns=columns) as terminal:
        terminal.sees("refresher top", "overdue")
        terminal.press(b"2")
        terminal.sees("external id", "bob", "eve")
        terminal.press(b"\r")
        terminal.sees("Its access token is good until")
        terminal.press(b"p")
        terminal.sees("It is not refreshed until it is resumed.")
        terminal.press(b"y")
        terminal.sees("is paused")
        terminal.press(b"\x1b")
        terminal.sees("Due next", "eve")
        terminal.press(b"q")
        assert terminal.ends() == 0
    assert {filled.show(name)["health"] for name in ("bob", "eve")} == {"paused", "fresh"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_the_terminal_as_it_was(filled: Cli, number: int, code: int) -> None:
    """Whoever ends it from outside finds no terminal without echo; its code tells of the signal."""
    with running(filled, "--read-only") as terminal:
        terminal.sees("refresher top", "overdue")
        terminal.process.send_signal(number)
        assert terminal.ends() == code


def test_ctrl_c_ends_it_as_every_command(filled: Cli) -> None:
    """Pressed in the terminal, it ends with 130."""
    with running(filled) as terminal:
        terminal.sees("refresher top", "overdue")
        terminal.press(b"\x03")
        assert terminal.ends() == 130


def test_the_end_waits_for_a_refresh_of_its_own(
    cli: Cli, provider: FakeProvider, granted: str
) -> None:
    """Between answer and commit here is the only copy of a token: SIGTERM waits, and says so."""
    provider.admin.change_options(latency_seconds=4.0)
    with running(cli) as terminal:
        terminal.sees("refresher top", "overdue")
        terminal.press(b"2")
        terminal.sees(granted)
        terminal.press(b"r")
        terminal.sees("ahead of everything that waits")
        terminal.press(b"y")
        wait_until(lambda: provider.admin.summary().requests_in_flight, 30)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ends() == -signal.SIGTERM
        assert b"Stopping when the refresh has ended." in terminal.told
    assert [line["kind"] for line in cli("events", granted, "--json").lines] == [
        "imported", "refreshed",
    ]  # fmt: skip
