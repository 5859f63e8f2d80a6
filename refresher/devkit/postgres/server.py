"""`EmbeddedPostgres`: a server on a directory of ours, shared by all processes that name it.

The first user starts it, the last one stops it, and a guard (`python -m refresher.devkit.postgres
DIRECTORY`, started along with the server) stops it when the last one dies instead, even by kill -9.
Two locks carry that: `users`, shared by each process that uses the server, and `starting`, held alone
while a server is being started or stopped. Next: cluster.py.
"""

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from refresher.devkit.postgres.binaries import INSTEAD, installed_versions
from refresher.devkit.postgres.cluster import SUPERUSER, Cluster, Postmaster
from refresher.errors import EmbeddedPostgresError

Kind = Literal["shared", "exclusive"]
_FLAGS = {"shared": fcntl.LOCK_SH, "exclusive": fcntl.LOCK_EX}


class FileLock:
    """One process's hold on `path`: many may share it, or one has it alone."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def take(self, kind: Kind) -> None:
        """Waits until the lock is ours; changes a hold of the other kind (not in one step)."""
        fcntl.flock(self._file, _FLAGS[kind])

    def try_take(self, kind: Kind, limit_seconds: float = 0.0) -> bool:
        """Whether the lock became ours within `limit_seconds`; an earlier hold may be lost."""
        give_up_at = time.monotonic() + limit_seconds
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(self._file, _FLAGS[kind] | fcntl.LOCK_NB)
                return True
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(0.02)

    def close(self) -> None:
        """Gives the lock up, also when a forked child still has the file open."""
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()


# What suits a developer's machine: durable (fsync stays on), small, no network, a quiet log.
SETTINGS = {
    "max_connections": "100",
    "max_wal_size": "512MB",
    "log_checkpoints": "off",
    "jit": "off",
}
START_WAIT_SECONDS = 180.0


class EmbeddedPostgres:
    """A PostgreSQL for development, as a context manager.

    `directory` is made where it is absent and kept afterwards: the next start finds its data.
    Raises `EmbeddedPostgresError`, one sentence that says what to do, when it cannot serve.
    """

    def __init__(self, directory: Path, database: str = "refresher") -> None:
        # Without symbolic links: the folder a process works in is told without them.
        self._cluster = Cluster(directory.expanduser().resolve(), SETTINGS)
        self._database = database
        self._users: FileLock | None = None
        self._server: Postmaster | None = None
        self._guard: int | None = None

    @property
    def directory(self) -> Path:
        """Where the data, the log and the locks are."""
        return self._cluster.directory

    @property
    def url(self) -> str:
        """The database for SQLAlchemy: `postgresql+psycopg://…`."""
        return self._url("postgresql+psycopg")

    @property
    def plain_url(self) -> str:
        """The database for psql, libpq and every other program: `postgresql://…`."""
        return self._url("postgresql")

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._cluster.log

    def is_alive(self) -> bool:
        """Whether the server answers now. Costs well under a millisecond, so ask often."""
        return self._server is not None and self._server.answers

    def last_words(self) -> str:
        """Returns the last complaint in the server's log: why it is not alive."""
        return self._cluster.last_words()

    def start(self) -> Self:
        """Starts the server, or joins the one that another process runs on this directory.

        Takes about a second for a new directory, a fifth of that later. Calling it again heals:
        a server that died is started once more.
        """
        installed_versions()
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            starting = FileLock(self.directory / "starting")
            try:
                self._join(starting)
                self._create_database()
            finally:
                starting.close()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise self._cannot_use(error) from error
            raise
        return self

    def stop(self) -> None:
        """Leaves the server; the last user stops it and waits until it has ended."""
        if self._users is None:
            return
        users, self._users, self._server = self._users, None, None
        try:
            if users.try_take("exclusive"):
                self._cluster.stop()
                if self._guard is not None:
                    dismiss_guard(self._guard)
            elif not users.try_take("shared"):
                # Neither is to be had: a guard has it alone and is stopping the server.
                users.take("shared")
        finally:
            self._guard = None
            users.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _join(self, starting: FileLock) -> None:
        if not starting.try_take("exclusive", START_WAIT_SECONDS):
            raise EmbeddedPostgresError(
                f"Another process has been starting the database in {self.directory} for "
                f"{START_WAIT_SECONDS:.0f} s: end that process and try again, {INSTEAD}"
            )
        if self._users is None:
            self._users = FileLock(self.directory / "users")
            # A guard or another last user may be stopping the server at this moment: wait for it.
            self._users.take("shared")
        if not self._cluster.is_running() and self._guard is None:
            self._guard = spawn_guard(self.directory)
        self._server = self._cluster.ensure_running()

    def _create_database(self) -> None:
        # Not at the top: the guard, which lives as long as the server, would carry it for nothing.
        import psycopg  # noqa: PLC0415
        from psycopg import sql  # noqa: PLC0415

        query = "SELECT FROM pg_database WHERE datname = %s"
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database))
        postgres = self._url("postgresql", "postgres")
        try:
            with psycopg.connect(postgres, autocommit=True) as connection:
                if connection.execute(query, [self._database]).fetchone() is None:
                    connection.execute(create)
        except psycopg.Error as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.directory} refuses us: {error}".strip()
            ) from error

    def _url(self, scheme: str, database: str | None = None) -> str:
        if self._server is None:
            raise EmbeddedPostgresError(f"The database in {self.directory} has not been started")
        host = quote(self._server.socket_folder, safe="")
        port = self._server.port
        return f"{scheme}://{SUPERUSER}@/{database or self._database}?host={host}&port={port}"

    def _cannot_use(self, error: OSError) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"The embedded PostgreSQL cannot use {self.directory}: {error.strerror or error} "
            f"({error.filename or self.directory}): choose a folder you may write to, {INSTEAD}"
        )


def spawn_guard(directory: Path) -> int:
    """Starts a guard for `directory` and returns its process number."""
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0)
    copies = [(os.POSIX_SPAWN_DUP2, 0, descriptor) for descriptor in (1, 2)]
    arguments = [sys.executable, "-m", "refresher.devkit.postgres", str(directory)]
    return os.posix_spawn(sys.executable, arguments, os.environ, file_actions=[null, *copies])


def dismiss_guard(pid: int) -> None:
    """Ends the guard `pid`, which we started, when the server it guards is stopped."""
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def guard(directory: Path) -> None:
    """Waits until nobody uses the server in `directory`, then stops it."""
    # A Ctrl-C meant for the user's program reaches its whole process group: leave the group.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    users = FileLock(directory / "users")
    users.take("exclusive")
    Cluster(directory).stop()
    users.close()
