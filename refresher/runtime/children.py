"""Ends the processes that we started when we are gone, however that came: kill -9, a lost terminal.

`Leash` is the side of the parent; run as a program, this file is the other side, which reads process
numbers from a pipe. The end of the pipe means that the parent has ended. Linux and macOS.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO

PATIENCE_SECONDS = 5.0


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
