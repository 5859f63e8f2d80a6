"""Processes that we start, start again, and end when we are gone, however that came: kill -9, a crash.

`Child` is one of them, `Leash` ends what is left. Run as a program, this file is the other side, which
reads process numbers from a pipe: its end means that the parent has ended. Linux and macOS.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO

PATIENCE_SECONDS = 5.0
AGAIN_SECONDS = 2.0
"""A child that ends is started again at most so often."""


class Leash:
    """Holds child processes that must not outlive us."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  this Python, this module
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None
        self._pipe: IO[bytes] = self._process.stdin

    def hold(self, pid: int) -> None:
        """Has process `pid` (with its group, where it leads one) ended when we end."""
        self._say(f"hold {pid}")

    def release(self, pid: int) -> None:
        """Leaves `pid` alone: it has ended, and its number may be somebody else's soon."""
        self._say(f"release {pid}")

    def close(self) -> None:
        """Ends what is still held, and waits for that."""
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        # Should the other side be gone, the children lose a safety net and nothing else.
        with suppress(BrokenPipeError):
            self._pipe.write(f"{line}\n".encode())
            self._pipe.flush()


class Child:
    """One process of this Python, `python -m …`, on a leash; what it prints goes to `log`, if given.

    It leads a group of its own: a Ctrl-C is meant for us, who end it in its turn.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        leash: Leash,
        *,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        sockets: Sequence[int] = (),
    ) -> None:
        self._arguments, self._leash = arguments, leash
        self._environment, self._log, self._sockets = environment, log, sockets
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        """The number of the process that runs now, None while none does."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """With what it ended; None while it runs, or before its first start."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Starts it, for the first time or anew; its log goes on."""
        if self._process is not None:
            self._leash.release(self._process.pid)
        with self._log.open("ab") if self._log else nullcontext() as output:
            self._process = subprocess.Popen(  # noqa: S603  this Python, words of ours
                [sys.executable, "-m", *self._arguments],
                env=self._environment,
                pass_fds=self._sockets,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._leash.hold(self._process.pid)
        self._started_at = time.monotonic()

    def start_again(self) -> int | None:
        """Starts it anew when it has ended, every two seconds at most; returns how it had ended."""
        code = self.exit_code
        if code is None or time.monotonic() - self._started_at < AGAIN_SECONDS:
            return None
        self.start()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Waits for its end; kills it with its own children after so long, and returns False then."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            _signal(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        finally:
            self._leash.release(self._process.pid)
        return True

    def stop(self, seconds: float) -> bool:
        """Asks it to stop, and waits as `wait` does: what it has in hand is finished first."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def log_text(self) -> str:
        """Returns everything that it has printed."""
        return self._log.read_text(errors="replace") if self._log else ""

    def last_words(self) -> str:
        """Returns the last line that it has printed."""
        lines = self.log_text().splitlines()
        return lines[-1][:600] if lines else "it left no word"


def main() -> None:
    """Listens until the pipe ends, then ends what is held: SIGTERM first, SIGKILL in the end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held: set[int] = set()
    for line in sys.stdin:
        verb, _, pid = line.rstrip("\n").partition(" ")
        (held.add if verb == "hold" else held.discard)(int(pid))
    end(held)


def end(pids: set[int]) -> None:
    """Asks these processes to end, and kills after five seconds those that have not."""
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while any(map(_lives, pids)) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(OSError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _lives(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


if __name__ == "__main__":
    main()
