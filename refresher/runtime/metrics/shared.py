"""One set of counters for all worker processes of one `dramatiq` command.

They share a PORT, so whichever of them serves it must know what the others counted. Each keeps its
counters in a memory-mapped file (`prometheus_client`'s multiprocess mode) in one folder, named after
their common parent; the scrape adds them up. The last one to stop removes the folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger()
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_LEFT = "left_"
OLD_SECONDS = 86_400.0
"""A folder whose parent is gone is removed after a day: "gone" might mean another container's."""


def join_folder(parent: int) -> Path | None:
    """Returns the folder of the processes that `parent` started, and has `prometheus_client` use it.

    Call it before that library is imported. A folder that the variable names already is used as it
    is. None, and counters of this process only, where no private folder can be had.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    try:
        folder = Path(tempfile.gettempdir()) / f"{_prefix()}{parent}-{_started(parent)}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(folder):
            raise PermissionError(f"{folder} is somebody else's")
    except OSError as error:
        log.warning("metrics of this process only", why=str(error))
        return None
    _forget_old(folder)
    os.environ[VARIABLE] = str(folder)
    return folder


def leave_folder(folder: Path) -> None:
    """Removes the folder, unless a sibling still works. One that was given is left alone.

    Whoever leaves says so before it looks: of two that leave at once, at least one sees both.
    """
    if not folder.name.startswith(_prefix()):
        return
    os.environ.pop(VARIABLE, None)  # nor is it there for what this process may become (`up`)
    with suppress(OSError):
        (folder / f"{_LEFT}{os.getpid()}").touch()
    others = _writers(folder) - {int(p.name.removeprefix(_LEFT)) for p in folder.glob(f"{_LEFT}*")}
    if not any(map(_is_alive, others)):
        shutil.rmtree(folder, ignore_errors=True)


def _writers(folder: Path) -> set[int]:
    """Returns the numbers of the processes that have files here: `counter_123.db`."""
    numbers = (path.stem.rpartition("_")[2] for path in folder.glob("*.db"))
    return {int(number) for number in numbers if number.isdigit()}


def _forget_old(own: Path) -> None:
    for folder in own.parent.glob(f"{_prefix()}*"):
        parent, _, started = folder.name.removeprefix(_prefix()).partition("-")
        with suppress(OSError, ValueError):
            age = time.time() - folder.stat().st_mtime
            if folder != own and age > OLD_SECONDS and _started(int(parent)) != started:
                shutil.rmtree(folder, ignore_errors=True)


def _prefix() -> str:
    return f"refresher-metrics-{os.getuid()}-"


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and stat.S_IMODE(found.st_mode) & 0o077 == 0
    )


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(process_id: int) -> str:
    """Returns when a process started, in ticks: numbers come again. "0" where /proc is none."""
    try:
        text = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    return text.rpartition(")")[2].split()[19]
