"""A lock on a file that ends with the process that holds it, however that process ends.

Nothing to clean up after kill -9, and no process numbers to compare. Linux and macOS.
"""

import fcntl
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

Kind = Literal["shared", "exclusive"]
_FLAGS = {"shared": fcntl.LOCK_SH, "exclusive": fcntl.LOCK_EX}


class FileLock:
    """One process's hold on `path`: many may share it, or one has it alone."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def take(self, kind: Kind) -> None:
        """Waits until the lock is ours; changes a hold of the other kind (not in one step)."""
        fcntl.flock(self._file, _FLAGS[kind])

    def try_take(self, kind: Kind, limit_seconds: float = 0.0) -> bool:
        """Whether the lock became ours within `limit_seconds`; an earlier hold may be lost."""
        give_up_at = time.monotonic() + limit_seconds
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(self._file, _FLAGS[kind] | fcntl.LOCK_NB)
                return True
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(0.02)

    def close(self) -> None:
        """Gives the lock up, also when a forked child still has the file open."""
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
