"""A PostgreSQL that hangs: every one of its processes is suspended, and goes on as if nothing were."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.services import PostgresServer


@contextmanager
def frozen(postgres: PostgresServer) -> Iterator[None]:
    """Suspends the server within the block. Connections are still taken, by the kernel."""
    postmaster = postgres.pid
    pids = [postmaster, *_children(postmaster)]
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found
