"""A shell in a folder, in which a page's commands run one after the other, as a reader's would."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

from tests.docs.blocks import is_as_shown
from tests.waiting import wait_until

LONGEST_SECONDS = 90.0
Helper = Callable[[Callable[[], str], Callable[[], bool]], None]


class Shell:
    """One bash: what a command exports is there for the next one.

    `helper` is who acts beside a command, with what it printed so far and whether it goes on.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], helper: Helper) -> None:
        self._folder, self._helper = folder, helper
        self._numbers = count(1)
        self._left: list[tuple[Path, str]] = []
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *args: object) -> None:
        """Stops what was left running, the way Ctrl-C does, and the shell."""
        assert self._bash.stdin is not None
        for pid_file, _ in reversed(self._left):
            self._stop(pid_file)
        self._bash.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._bash.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()

    def run(self, text: str, where: str = "") -> str:
        """Runs a command and returns what it printed; AssertionError where it fails."""
        output = self._output()
        ended = output.with_suffix(".ended")
        self._say(
            f"{{ {text}\n}} </dev/null >{output} 2>&1; echo $? >{ended}.new; mv {ended}.new {ended}"
        )

        def printed() -> str:
            return output.read_text(errors="replace")

        beside = threading.Thread(target=self._helper, args=(printed, lambda: not ended.exists()))
        beside.start()
        try:
            wait_until(ended.exists, LONGEST_SECONDS, lambda: f"{where}: {text}\n{printed()}")
        finally:
            beside.join(LONGEST_SECONDS)
        code = int(ended.read_text())
        assert code == 0, f"{where}: {text}\nended with {code}:\n{printed()}{self._logs()}"
        return printed()

    def leave(self, text: str, shown: tuple[str, ...], where: str) -> str:
        """Starts a command that goes on; returns what it printed until all that is shown was there."""
        output = self._output()
        pid = output.with_suffix(".pid")
        bare = text.rpartition("#")[0]
        self._say(f"{{ exec {bare}; }} </dev/null >{output} 2>&1 & echo $! >{pid}")
        self._left.append((pid, str(output)))

        def is_there() -> bool:
            printed = output.read_text(errors="replace")
            return is_as_shown(shown, printed) if shown else "refresher is up" in printed

        wait_until(is_there, LONGEST_SECONDS, lambda: f"{where}: {text}\n{output.read_text()}")
        return output.read_text(errors="replace")

    def _output(self) -> Path:
        output = self._folder / f".output-{next(self._numbers)}"
        output.touch()
        return output

    def _logs(self) -> str:
        return "".join(f"\n{file}:\n{Path(file).read_text()[-2000:]}" for _, file in self._left)

    def _say(self, line: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{line}\n")
        self._bash.stdin.flush()

    def _stop(self, pid_file: Path) -> None:
        pid = int(pid_file.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        ended = pid_file.with_suffix(".waited")
        self._say(f"wait {pid}; touch {ended}")
        wait_until(ended.exists, 60, lambda: f"{pid} does not end")
