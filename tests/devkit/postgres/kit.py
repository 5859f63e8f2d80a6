"""What the tests of this folder share: a second user of a server, and ways to look at one."""

import os
import signal
from pathlib import Path

import psycopg

from refresher.devkit.postgres import EmbeddedPostgres
from refresher.devkit.postgres.cluster import read_postmaster
from tests.waiting import wait_until

USER = """
import signal, sys
from pathlib import Path
from refresher.devkit.postgres import EmbeddedPostgres

with EmbeddedPostgres(Path(sys.argv[1])) as server:
    try:
        # Inside: whoever reads this may interrupt us before the next line.
        print(f"up guard={server._guard}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def ask(database: EmbeddedPostgres, query: str) -> object:
    """The one value that `query` returns."""
    with psycopg.connect(database.plain_url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def remember(database: EmbeddedPostgres) -> None:
    """Commits a row that must not get lost."""
    with psycopg.connect(database.plain_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")


def wait_for_clean_stop(folder: Path) -> None:
    """Waits until the server of `folder` has removed its claim, as it does at a clean stop."""
    wait_until(lambda: read_postmaster(folder / "data") is None)


def kill_server(folder: Path) -> None:
    """Kills the server of `folder` with -9."""
    found = read_postmaster(folder / "data")
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
