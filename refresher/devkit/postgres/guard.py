"""Stops an embedded server when the last process that uses it is gone, even by kill -9.

Runs as a process of its own (`python -m refresher.devkit.postgres DIRECTORY`), started by server.py
along with the server. It waits for the lock that every user of the server shares: the system hands
it over at the moment the last user ends.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from refresher.devkit.postgres.cluster import Cluster
from refresher.devkit.postgres.locks import FileLock


def spawn(directory: Path) -> int:
    """Starts a guard for `directory` and returns its process number."""
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0)
    copies = [(os.POSIX_SPAWN_DUP2, 0, descriptor) for descriptor in (1, 2)]
    arguments = [sys.executable, "-m", "refresher.devkit.postgres", str(directory)]
    return os.posix_spawn(sys.executable, arguments, os.environ, file_actions=[null, *copies])


def dismiss(pid: int) -> None:
    """Ends the guard `pid`, which we started, when the server it guards is stopped."""
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main(directory: Path) -> None:
    """Waits until nobody uses the server in `directory`, then stops it."""
    # A Ctrl-C meant for the user's program reaches its whole process group: leave the group.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    users = FileLock(directory / "users")
    users.take("exclusive")
    Cluster(directory).stop()
    users.close()
