"""TCP ports for the tests' own servers, which nobody takes between the choice and the start.

A port that was free a moment ago may be gone when its server starts: the system hands those of its
ephemeral range to any client that connects, and a neighbouring test run chooses at the same time. So
ports come from below that range, and each is ours by a lock for as long as this process lives.
"""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 15_000, 60_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FOLDER = Path(tempfile.gettempdir()) / f"refresher-ports-{os.getuid()}"
_locks: list[int] = []  # open for as long as we live


def free_port() -> int:
    """Returns a port on which nothing listens, and that no other test run is given meanwhile."""
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    candidates = range(LOWEST, _end())
    first = random.randrange(len(candidates))
    for n in range(len(candidates)):
        port = candidates[(first + n) % len(candidates)]
        if _is_ours(port):
            return port
    raise AssertionError("every port is taken")


def _end() -> int:
    """Returns where the ephemeral ports begin, or the highest port where they leave no room."""
    ephemeral = 49_152  # IANA's, as macOS has it
    with suppress(OSError):
        ephemeral = int(_RANGE.read_text().split()[0])
    return ephemeral if ephemeral > LOWEST + 1_000 else HIGHEST


def _is_ours(port: int) -> bool:
    lock = os.open(_FOLDER / str(port), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind((LOOPBACK, port))
    except OSError:
        os.close(lock)
        return False
    _locks.append(lock)
    return True
