"""The real services that tests run against: a PostgreSQL and a Redis, both out of wheels.

Nothing here skips: a service that does not start fails the tests. Chaos tests may stop, kill and
start them again on the same port. Fixtures that hand them out: conftest.py.
"""

import importlib
import os
import secrets
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from refresher.devkit.postgres.cluster import SUPERUSER, Cluster, StopMode
from tests.guard import Guard
from tests.ports import LOOPBACK, free_port
from tests.postgres_versions import programs_of
from tests.redis_programs import redis_binary
from tests.waiting import wait_until

REDIS_DATABASES = 64
PARTITIONS = int(os.environ.get("REFRESHER_TEST_PARTITIONS", "1"))
"""In how many partitions the tests' databases have their connections."""
# Not durable, which only a power cut would show; otherwise as in production.
POSTGRES_SETTINGS = {
    "max_connections": "300",
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
}


def migrate(url: str) -> None:
    """Brings the database at `url` to the newest schema, as `refresher migrate` does."""
    importlib.import_module("refresher.store.migrate").upgrade(url)


def spread(url: str, partitions: int) -> None:
    """Stores the connections in so many partitions, as `refresher migrate --partitions` does."""
    change = importlib.import_module("refresher.store.repartition").change
    change(url, None, partitions, lambda _done, _words: None)


@dataclass(frozen=True, slots=True)
class OtherCluster(Cluster):
    """A data directory whose server may be another than the wheel's."""

    programs: Path | None = None

    def _binaries(self) -> Path:
        return self.programs or Cluster._binaries(self)  # super() does not work with slots


class PostgresServer:
    """A PostgreSQL on loopback TCP, with a password; everything in it is thrown away."""

    _admin: psycopg.Connection | None = None

    def __init__(
        self, guard: Guard, version: str | None = None, *, address: str = LOOPBACK
    ) -> None:
        version = version or os.environ.get("REFRESHER_TEST_POSTGRES")
        programs = programs_of(int(version)) if version else None
        # Not under pytest's own temporary folder: as root, the server's account cannot go there.
        self._folder = tempfile.TemporaryDirectory(prefix="refresher-tests-")
        guard.remove(Path(self._folder.name))
        self._guard, self._address = guard, address
        self.port = free_port()
        self._password = secrets.token_hex(16)
        settings = POSTGRES_SETTINGS | {"port": str(self.port), "listen_addresses": address}
        folder = Path(self._folder.name).resolve()
        self._cluster = OtherCluster(folder, settings, "scram-sha-256", programs=programs)

    def url(self, database: str = "postgres") -> str:
        """Returns the URL of `database` in SQLAlchemy's form."""
        where = f"{SUPERUSER}:{self._password}@{self._address}:{self.port}"
        return f"postgresql+psycopg://{where}/{database}"

    @property
    def pid(self) -> int:
        """The number of its first process."""
        server = self._cluster.postmaster()
        assert server is not None
        return server.pid

    def start(self) -> None:
        """Starts the server, also after `immediate_stop`; does nothing while it runs."""
        if self._cluster.is_running():
            return
        server = self._cluster.ensure_running()
        self._guard.watch(server.pid)
        local = f"postgresql://{SUPERUSER}@/postgres?host={server.socket_folder}&port={self.port}"
        with psycopg.connect(local, autocommit=True) as connection:
            change = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(change.format(sql.Identifier(SUPERUSER), self._password))
            if self._address != LOOPBACK:  # initdb lets 127.0.0.1 in, and nobody else
                with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
                    rules.write("host all all 127.0.0.0/8 scram-sha-256\n")
                connection.execute("select pg_reload_conf()")

    def stop(self) -> None:
        """Stops the server cleanly; sessions are cut."""
        self._stop("fast")

    def immediate_stop(self) -> None:
        """Crashes the server: no checkpoint, sessions are cut, the next start recovers."""
        self._stop("immediate")

    def close(self) -> None:
        """Stops the server for good and removes its files."""
        self._stop("immediate")
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """The folder that is the server's own, and thrown away with it."""
        return self._cluster.directory

    def pids(self) -> list[int]:
        """Returns the numbers of all its processes (Linux), the first one's first."""
        server = self._cluster.postmaster()
        assert server is not None
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        return [server.pid, *map(int, children)]

    def make_tablespace(self, name: str, folder: Path) -> None:
        """Makes a place for databases in an empty folder within `folder`."""
        owner = (self.folder / "data").stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        statement = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
        self._execute(statement.format(sql.Identifier(name), sql.Literal(str(folder))))

    def create_database(
        self, name: str, template: str = "template1", tablespace: str = "pg_default"
    ) -> str:
        """Makes a database, a copy of `template` (to which nobody may be connected)."""
        # Without fsync, copying files is three times as quick as logging each of their pages.
        # PostgreSQL 14 always copies, and knows no word for it.
        copying = "" if self._version < 150_000 else " STRATEGY FILE_COPY"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}" + copying)
        names = map(sql.Identifier, (name, template, tablespace))
        self._execute(statement.format(*names))
        if template != "template1":
            # Each test's database is an installation of its own, not a backup of another's.
            with psycopg.connect(plain(self.url(name)), autocommit=True) as db:
                db.execute("update installation set id = gen_random_uuid()")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Removes a database, and the sessions in it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._execute(statement.format(sql.Identifier(name)))

    def _stop(self, mode: StopMode) -> None:
        self._leave()
        server = self._cluster.postmaster()
        self._cluster.stop(mode)
        if server is not None:
            self._guard.forget(server.pid)

    @property
    def _version(self) -> int:
        return self._connection().info.server_version

    def _connection(self) -> psycopg.Connection:
        """Returns a connection that is kept: each test makes and drops a database."""
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(plain(self.url()), autocommit=True)
        return self._admin

    def _execute(self, statement: sql.Composed) -> None:
        try:
            self._connection().execute(statement)
        except psycopg.OperationalError:
            if not self._connection().closed:
                raise
            self._connection().execute(statement)

    def _leave(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None


class ForeignPostgres(PostgresServer):
    """The server of `REFRESHER_TEST_DATABASE_URL`, which is not ours to stop."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.port = self._url.port or 5432

    def url(self, database: str = "") -> str:
        """Returns the URL of `database`; without a name, of the one that was given."""
        path = f"/{database}" if database else self._url.path
        return self._url._replace(scheme="postgresql+psycopg", path=path).geturl()

    def start(self) -> None:
        """Does nothing: it runs."""

    def stop(self) -> None:
        """Fails the test that asks for it."""
        raise AssertionError("this test stops PostgreSQL: unset REFRESHER_TEST_DATABASE_URL")

    immediate_stop = stop

    def close(self) -> None:
        """Leaves it as it was: databases are dropped by whoever made them."""
        self._leave()


class RedisServer:
    """A Redis (or Valkey) on a loopback port that keeps nothing on disk."""

    def __init__(self, guard: Guard, *, address: str = LOOPBACK) -> None:
        self._guard, self._address = guard, address
        self._binary = redis_binary()
        self._folder = tempfile.TemporaryDirectory(prefix="refresher-tests-")
        guard.remove(Path(self._folder.name))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (Path(self._folder.name) / "log").read_text(errors="replace")

    def url(self, database: int = 0) -> str:
        """Returns the URL of database number `database`."""
        return f"redis://{self._address}:{self.port}/{database}"

    def start(self) -> None:
        """Starts the server, empty, on the port it always had; does nothing while it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        options = {"bind": self._address, "protected-mode": "no", "port": self.port}
        options |= {"databases": REDIS_DATABASES, "save": "", "dir": self._folder.name}
        arguments = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        with (Path(self._folder.name) / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, *arguments], stdout=log, stderr=log, start_new_session=True
            )
        self._guard.watch(self._process.pid)
        wait_until(self.answers, reason=lambda: f"Redis did not start: {self.log}")

    def answers(self) -> bool:
        """Whether the server replies to PING."""
        try:
            with redis.Redis.from_url(self.url()) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        """Stops the server as a supervisor does; connections are closed, data is gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the server with -9."""
        self._end(signal.SIGKILL)

    def flushall(self) -> None:
        """Empties every database, as an operator would by mistake."""
        with redis.Redis.from_url(self.url()) as client:
            client.flushall()

    def close(self) -> None:
        """Stops the server for good."""
        self.kill()
        self._folder.cleanup()

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(timeout=200)
        self._guard.forget(self._process.pid)
        self._process = None


def start_postgres(guard: Guard) -> PostgresServer:
    """Returns a running PostgreSQL: the wheel's, or the one of `REFRESHER_TEST_DATABASE_URL`.

    `REFRESHER_TEST_POSTGRES` names the major version of another one of our own.
    """
    url = os.environ.get("REFRESHER_TEST_DATABASE_URL")
    server = ForeignPostgres(url) if url else PostgresServer(guard)
    server.start()
    return server


def plain(url: str) -> str:
    """Returns a SQLAlchemy URL in the form that psycopg and libpq read."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
