"""Reading commands on a real standby of the database, as docs/full-postgres.md has them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from refresher.devkit.postgres.binaries import run, server_user
from tests.cli.kit import Cli
from tests.guard import Guard
from tests.ports import LOOPBACK, free_port
from tests.services import POSTGRES_SETTINGS, OtherCluster, PostgresServer, plain
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
READING = (
    *("connections list", "connections show one", "explain one", "events one"),
    *("inspect one", "top --once"),
)
WRITING = ("token one", "connections export --out standby.jsonl", "connections pause one")


@pytest.fixture
def standby(postgres: PostgresServer, database_url: str, guard: Guard) -> Iterator[str]:
    """The URL of the test's database on a hot standby of the server."""
    with tempfile.TemporaryDirectory(prefix="refresher-tests-") as name:
        folder, port = Path(name).resolve(), free_port()
        cluster = OtherCluster(
            folder, POSTGRES_SETTINGS | {"port": str(port), "listen_addresses": LOOPBACK},
            "scram-sha-256", programs=postgres._cluster.programs,
        )  # fmt: skip
        _copy(postgres, cluster)
        guard.watch(cluster.ensure_running().pid)
        url = urlsplit(plain(database_url))
        where = f"{url.username}:{url.password}@{LOOPBACK}:{port}"
        yield url._replace(netloc=where).geturl()
        cluster.stop("immediate")


def _copy(postgres: PostgresServer, cluster: OtherCluster) -> None:
    """Copies the server's files, and has the copy follow it."""
    binaries = cluster._binaries()
    user = server_user(binaries)
    cluster.data.mkdir(mode=0o700)
    cluster.directory.chmod(0o755)
    if user is not None:
        os.chown(cluster.data, user.uid, user.gid)
    source = plain(postgres.url())
    run(
        binaries / "pg_basebackup",
        *("-D", "data", "-R", "-X", "stream", "-c", "fast", "-d", source),
        directory=cluster.directory,
        user=user,
        limit_seconds=60,
    )


def test_reading_commands_read_a_standby(cli: Cli, standby: str) -> None:
    """They tell what the standby has; what writes is refused in a sentence."""
    cli.connect("one")
    cli.env["DATABASE_URL"] = standby
    with psycopg.connect(standby) as db:
        wait_until(lambda: _number(db) == 1)
    for command in READING:
        ran = cli(*command.split())
        assert ran.code == 0, (command, ran.stderr)
    assert "one" in cli("connections", "list").stdout
    for command in WRITING:
        cli(*command.split()).refused("takes no writes", code=3)
    (state,) = cli("connections", "list", "--json").lines
    assert state["health"] == "fresh"


def _number(db: psycopg.Connection) -> int:
    found = db.execute("select count(*) from connection").fetchone()
    db.rollback()
    return 0 if found is None else int(found[0])
