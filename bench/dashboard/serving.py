"""Starts the web process on a database, with a key for all organizations and one for each size."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from unittest.mock import patch

from bench.dashboard.rows import LARGE, SMALL
from refresher.connections import api_keys
from refresher.rules.access import Actor, Scope
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.settings import load

SCOPES = frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN})
EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Site:
    """The port, and a key for each kind of visitor: for all organizations, a large, a small one."""

    port: int
    keys: dict[str, str]


@contextmanager
def site(plain_url: str) -> Iterator[Site]:
    """Starts the process; stops it at the end."""
    port = _free_port()
    environment = {
        "DATABASE_URL": plain_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "REFRESHER_LOG_LEVEL": "warning",
        "PORT": str(port),
        "REFRESHER_HOST": "localhost",
    }
    with patch.dict(os.environ, environment):
        keys = _keys()
        process = subprocess.Popen([sys.executable, "-m", "refresher.web"])
    with process:
        try:
            _await_health(port)
            yield Site(port, keys)
        finally:
            process.terminate()


def _keys() -> dict[str, str]:
    services = wiring.build(load())
    keys = {}
    for name, whose in ((EVERYBODY, None), (LARGE, LARGE), (SMALL, SMALL)):
        made = api_keys.create(
            services.database,
            name=f"bench {name}",
            scopes=SCOPES if whose is None else SCOPES - {Scope.ADMIN},
            organization_id=whose,
            by=Actor("cli:bench"),
        )
        keys[name] = made.text.reveal()
    services.close()
    return keys


def _await_health(port: int) -> None:
    for _ in range(600):
        with suppress(OSError), urllib.request.urlopen(f"http://localhost:{port}/health"):
            return
        time.sleep(0.1)
    sys.exit("the server does not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
