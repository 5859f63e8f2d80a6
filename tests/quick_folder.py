"""Where the tests put what they throw away: into memory, where the machine has such a folder.

A test has a database of its own, some three hundred files. On a disk, making one takes longer than most
tests, in memory some milliseconds.
"""

import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
"""Linux has it, others have not."""
ROOM_BYTES = 4 * 2**30


def use() -> None:
    """Has this process and its children make temporary files there, unless TMPDIR names another."""
    if "TMPDIR" not in os.environ and _is_good(IN_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def _is_good(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    runs_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(folder).free > ROOM_BYTES
