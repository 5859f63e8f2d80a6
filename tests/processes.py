"""Real processes for tests: a scheduler, a worker, a command, each killed when its test ends.

A process leads its own group, so that killing it takes its children along (Dramatiq forks).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.guard import Guard
from tests.waiting import wait_until
from tests.warm import Started, Warm

AT_HOME = {"REFRESHER_HOST": "localhost", "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback"}
"""What the tests' processes are told unless a test says otherwise: all servers are on this machine."""
OURS = ("REFRESHER_", "DATABASE_URL", "REDIS_URL", "RABBITMQ_URL", "PORT", "PG")


class Process:
    """One process that a test started; its output goes to a file.

    `python -m …` is forked from a process that is warm already (`warm.py`).
    """

    def __init__(
        self,
        guard: Guard,
        log: Path,
        arguments: list[str],
        env: dict[str, str],
        network: Path | None = None,
    ) -> None:
        self._guard = guard
        self._log = log
        self._popen: subprocess.Popen[bytes] | Started
        if arguments[0] == "-m":
            log.touch()
            self._popen = guard.warm.start(arguments[1:], env, log, network=network)
        else:
            self._popen = _start_cold([sys.executable, *arguments], env, log)
        guard.watch(self.pid)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._popen.pid

    @property
    def output(self) -> str:
        """All it has printed so far."""
        return self._log.read_text(errors="replace")

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    def wait(self, limit_seconds: float = 60.0) -> int:
        """Waits for its end and returns the exit code (negative: the signal that ended it)."""
        return self._popen.wait(timeout=limit_seconds)

    def wait_for(self, text: str, limit_seconds: float = 60.0) -> None:
        """Waits until it has printed `text`; fails at once when it ends without."""
        wait_until(
            lambda: text in self.output or not self.is_running(),
            limit_seconds,
            lambda: f"{text!r}\n{self.output}",
        )
        assert text in self.output, self.output

    def terminate(self) -> None:
        """Asks it to stop, as a platform does."""
        self._popen.terminate()

    def suspend(self) -> None:
        """Freezes it with its children (SIGSTOP)."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it and its children go on (SIGCONT)."""
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> int:
        """Kills it and its children with -9; does no harm when it has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._popen.wait(timeout=200)
        self._guard.forget(self.pid)
        return code


class Spawner:
    """Starts processes for one test and kills what is left of them afterwards."""

    def __init__(self, guard: Guard, folder: Path) -> None:
        self._guard = guard
        self._folder = folder
        self._started: list[Process] = []

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        network: Path | None = None,
    ) -> Process:
        """Starts `python arguments…` with this test's settings and none of the machine's.

        `network` is the file of the network namespace that `python -m …` is to be in.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        log = self._folder / f"process-{len(self._started)}.log"
        told = inherited | AT_HOME | dict(env or {})
        process = Process(self._guard, log, list(arguments), told, network)
        self._started.append(process)
        return process

    @property
    def warm(self) -> Warm:
        """What `python -m …` is forked from."""
        return self._guard.warm

    def close(self) -> None:
        """Kills every process that this test started."""
        for process in self._started:
            process.kill()

    def outputs(self) -> str:
        """Returns what all of them printed."""
        return "\n".join(process.output for process in self._started)


def _start_cold(command: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
