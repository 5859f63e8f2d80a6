"""A real PgBouncer in front of a test's database, with the configuration that it comes with."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
from sqlalchemy import make_url

from tests.guard import Guard
from tests.ports import LOOPBACK, free_port
from tests.services import plain
from tests.waiting import wait_until

Mode = Literal["session", "transaction"]
CONFIGURATION = """
[databases]
* = host={host} port={port} user={user} password={password}

[pgbouncer]
listen_addr = {listen}
listen_port = {listen_port}
auth_type = any
pool_mode = {mode}
unix_socket_dir =
"""


def program() -> str | None:
    """Returns PgBouncer's program; Debian keeps it where only root's path leads."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def pooler(guard: Guard, url: str, mode: Mode) -> Iterator[str]:
    """Runs a pooler for as long as the block lasts; returns the URL that leads through it."""
    found, behind, port = program(), make_url(url), free_port()
    assert found is not None, "PgBouncer is not there: apt-get install pgbouncer"
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(
                host=behind.host, port=behind.port, user=behind.username, password=behind.password,
                listen=LOOPBACK, listen_port=port, mode=mode,
            )
        )  # fmt: skip
        file.chmod(0o644)
        with (folder / "log").open("wb") as log:
            # It refuses to run as root; it needs nothing that any other account could not have.
            other = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            options = other if os.geteuid() == 0 else {}
            process = subprocess.Popen([found, file], stdout=log, stderr=log, **options)  # type: ignore[call-overload]  # its options are of many types
        guard.watch(process.pid)
        through = behind.set(port=port).render_as_string(hide_password=False)
        try:
            wait_until(lambda: _answers(through), reason=(folder / "log").read_text)
            yield through
        finally:
            process.kill()
            process.wait()
            guard.forget(process.pid)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(plain(url)).close()
    except psycopg.OperationalError:
        return False
    return True
