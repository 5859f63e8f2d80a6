"""What a run costs: processor time and memory, by kind of process.

A kind is a process with its children: Dramatiq's workers, Postgres's sessions. Time of children that
have ended counts, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

MEGABYTE = 1_000_000


def cpu_seconds(kinds: Mapping[str, int]) -> dict[str, float]:
    """Returns the processor time that each kind has used so far; `kinds` names its first process."""
    return {kind: sum(map(_used, _tree(pid))) + _inherited(pid) for kind, pid in kinds.items()}


def peak_megabytes(kinds: Mapping[str, int]) -> dict[str, float]:
    """Returns the most memory that one process of each kind has had resident.

    Of Postgres that includes the part of the shared buffers that the session has touched.
    """
    peaks = {kind: [_peak(process.pid) for process in _tree(pid)] for kind, pid in kinds.items()}
    return {kind: round(max(found) / MEGABYTE, 1) for kind, found in peaks.items() if found}


def server_of(pid: int) -> int | None:
    """Returns the postmaster above a session's process, None when it is no Postgres of this machine."""
    with suppress(psutil.Error):
        session = psutil.Process(pid)
        parent = session.parent()
        if parent is not None and "postgres" in session.name() and "postgres" in parent.name():
            return int(parent.pid)
    return None


def is_redis(pid: int) -> bool:
    """Whether this process of our machine is a Redis."""
    with suppress(psutil.Error):
        return bool(re.search("redis|valkey", psutil.Process(pid).name()))
    return False


def _tree(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)


def _used(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _inherited(pid: int) -> float:
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.children_user + times.children_system)
    return 0.0


def _peak(pid: int) -> float:
    """Returns bytes; where the system keeps no peak (macOS), what is resident now."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
            return int(found[1]) * 1024.0
    with suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss)
    return 0.0
