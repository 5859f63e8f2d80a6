"""Ends what the tests started when pytest is gone, however it went: Ctrl-C, kill -9, a lost shell.

`Guard` is the side inside pytest; run as a program, this file is the other side. It reads what to
watch from a pipe, and the end of the pipe means that pytest has ended.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

# A Ctrl-C is a clean stop to Python, PostgreSQL and Redis alike; the rest is for those who hang.
INSISTENCE = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 0.0))


class Guard:
    """Tells the guard process what pytest started. Forgetting is never needed, only polite.

    `warm` is what its processes are forked from.
    """

    def __init__(self) -> None:
        from tests.warm import Warm  # noqa: PLC0415  this file is a program as well

        self.warm = Warm()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None
        self._pipe: IO[bytes] = self._process.stdin

    def watch(self, pid: int) -> None:
        """Has process `pid` ended when pytest ends."""
        self._say(f"watch {pid}")

    def forget(self, pid: int) -> None:
        """Leaves process `pid` alone: it has ended, its number may be reused."""
        self._say(f"forget {pid}")

    def remove(self, path: Path) -> None:
        """Has the folder `path` removed when pytest ends."""
        self._say(f"remove {path}")

    def close(self) -> None:
        """Ends everything that is still watched, and waits for that."""
        self._pipe.close()
        self._process.wait()
        self.warm.close()

    def _say(self, line: str) -> None:
        self._pipe.write(f"{line}\n".encode())
        self._pipe.flush()


def main() -> None:
    """Listens until the pipe ends, then ends what is watched."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        verb, _, what = line.rstrip("\n").partition(" ")
        if verb == "remove":
            folders.append(what)
        elif verb == "watch":
            watched.add(int(what))
        else:
            watched.discard(int(what))
    end(watched)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def end(watched: set[int]) -> None:
    """Ends every process of `watched`, with its whole group where it leads one."""
    for number, patience_seconds in INSISTENCE:
        for pid in watched:
            _signal(pid, number)
        give_up_at = time.monotonic() + patience_seconds
        while any(map(_lives, watched)) and time.monotonic() < give_up_at:
            time.sleep(0.02)


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
