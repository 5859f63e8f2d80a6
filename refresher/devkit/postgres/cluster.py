"""One PostgreSQL data directory: made, started, probed and stopped; and what its server tells.

Who may start or stop a server, and when, is decided in server.py: nothing here takes a lock. A process
number in `postmaster.pid` proves nothing: after a crash or a reboot it may be somebody else's. So a
server is asked (does its socket answer?), and a number counts only with the folder it works in. Where
its programs are is in binaries.py.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from refresher.devkit.postgres.binaries import (
    INSTEAD,
    ServerUser,
    installed_versions,
    open_the_way,
    run,
    server_user,
)
from refresher.errors import EmbeddedPostgresError

PID_FILE = "postmaster.pid"
SOCKET_FOLDER_PREFIX = "refresher-pg-"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server that last began to run on `data`; its later lines are empty while it starts."""

    data: Path
    pid: int
    port: str
    socket_folder: str
    status: str

    @property
    def answers(self) -> bool:
        """Whether something listens on its socket; a dead server's socket refuses."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(self._socket)
            except OSError:
                return False
        return True

    @property
    def lives(self) -> bool:
        """Whether its process is there and works in `data`, though it may not answer yet."""
        if sys.platform != "linux":
            return self._is_called_postgres()
        try:
            return Path(f"/proc/{self.pid}/cwd").readlink() == self.data
        except OSError:
            return False

    def disown(self) -> None:
        """Clears away what a dead server left: its socket, and its claim on the data.

        PostgreSQL refuses to start while a process with the number in the file lives, except for
        the one that starts it: so our own number goes there. Removing the file instead would also
        remove PostgreSQL's check for surviving processes of the dead server.
        """
        for suffix in ("", ".lock"):
            Path(f"{self._socket}{suffix}").unlink(missing_ok=True)
        self.forget_socket_folder()
        path = self.data / PID_FILE
        _, _, rest = path.read_text().partition("\n")
        path.write_text(f"{os.getpid()}\n{rest}")

    def forget_socket_folder(self) -> None:
        """Removes the folder made for the socket alone, if there was one."""
        folder = Path(self.socket_folder)
        if folder.name.startswith(SOCKET_FOLDER_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _socket(self) -> str:
        return f"{self.socket_folder}/.s.PGSQL.{self.port}"

    def _is_called_postgres(self) -> bool:
        """Where no folder can be asked for, the name has to do."""
        command = ["ps", "-o", "comm=", "-p", str(self.pid)]
        found = subprocess.run(  # noqa: S603  fixed words and a number
            command, capture_output=True, text=True, check=False
        )
        return "postgres" in found.stdout


def read_postmaster(data: Path) -> Postmaster | None:
    """Returns what stands in the file under `data`; `None` when the last server stopped cleanly."""
    try:
        lines = (data / PID_FILE).read_text().splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].isdigit():
        return None
    # pid, data, start time, port, socket folder, TCP host, shared memory, status
    lines += [""] * (8 - len(lines))
    return Postmaster(data, int(lines[0]), lines[3], lines[4], lines[7].strip())


PORT = "5432"
SUPERUSER = "refresher"
START_LIMIT_SECONDS = 120.0
# A socket's whole path must fit in 104 (macOS) or 108 (Linux) bytes.
SOCKET_PATH_LIMIT = 100
OUR_FOLDERS = 2
"""The server's own folder and the data directory around it, which nobody else lives in."""
LOG_LIMIT_BYTES = 1_000_000

StopMode = Literal["fast", "immediate"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory under `directory` (absolute), and the server on it.

    `settings` are given at each start, so that a newer refresher changes them for old directories.
    `host_auth` says how TCP clients prove themselves; the socket trusts whoever can reach it, and
    only the owner can: its folder has mode 0700.
    """

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    host_auth: Literal["reject", "scram-sha-256"] = "reject"

    @property
    def data(self) -> Path:
        """Where PostgreSQL keeps its files."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.directory / "server.log"

    def postmaster(self) -> Postmaster | None:
        """Returns the server as it last described itself; `None` after a clean stop."""
        return read_postmaster(self.data)

    def is_running(self) -> bool:
        """Whether the server answers now. Costs well under a millisecond."""
        found = self.postmaster()
        return found is not None and found.answers

    def ensure_running(self) -> Postmaster:
        """Makes the data directory where there is none, starts the server unless it runs already.

        Waits for a server that is starting or stopping, and after a crash for the last processes of
        the dead one. Raises `EmbeddedPostgresError` with the server's own reason.
        """
        binaries = self._binaries()
        user = server_user(binaries)
        self._prepare(binaries, user)
        give_up_at = time.monotonic() + START_LIMIT_SECONDS
        while time.monotonic() < give_up_at:
            found = self.postmaster()
            if found is not None and found.answers and found.status == "ready":
                return found
            if found is None or not (found.answers or found.lives):
                self._launch(binaries, user, found)
            else:
                time.sleep(0.02)
        raise self._did_not_start()

    def stop(self, mode: StopMode = "fast") -> None:
        """Stops the server if it runs; `immediate` is a crash that the next start recovers from."""
        found = self.postmaster()
        if found is None or not (found.answers or found.lives):
            return
        binaries = self._binaries()
        run(
            binaries / "pg_ctl",
            *("stop", "-D", "data", "-m", mode, "-w", "-t", "60"),
            directory=self.directory,
            user=server_user(binaries),
            limit_seconds=90,
        )
        found.forget_socket_folder()

    def last_words(self) -> str:
        """Returns the last complaint in the server's log, for an error message."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        telling = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR):", line)]
        return (telling or lines or ["its log is empty"])[-1].strip()

    def _binaries(self) -> Path:
        """The programs of the version that made the directory; the newest for a new one."""
        installed = installed_versions()
        try:
            made_by = int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return installed[max(installed)]
        if made_by not in installed:
            has = " and ".join(map(str, sorted(installed)))
            raise EmbeddedPostgresError(
                f"{self.data} was made by PostgreSQL {made_by} and the installed package brings "
                f"{has}: move the directory away to begin anew, {INSTEAD}"
            )
        return installed[made_by]

    def _prepare(self, binaries: Path, user: ServerUser | None) -> None:
        """Runs initdb beside the data directory, then moves it there: it is whole or absent."""
        if user is not None:
            open_the_way(self.data, ours=OUR_FOLDERS)
        if (self.data / "PG_VERSION").exists():
            return
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if user is not None:
            os.chown(fresh, user.uid, user.gid)
        run(
            binaries / "initdb",
            *("-D", "data.new", "-U", SUPERUSER, "-E", "UTF8", "--no-locale", "--no-instructions"),
            *("--auth-local=trust", f"--auth-host={self.host_auth}"),
            directory=self.directory,
            user=user,
            limit_seconds=300,
        )
        fresh.rename(self.data)

    def _launch(self, binaries: Path, user: ServerUser | None, dead: Postmaster | None) -> None:
        """Starts the server; survivors of a dead one are no error, the caller tries again."""
        if dead is not None:
            dead.disown()
        self._open_log(user)
        options = self._options(_socket_folder(self.data, user))
        try:
            run(
                binaries / "pg_ctl",
                *("start", "-D", "data", "-l", "server.log", "-w", "-t", "100", "-o", options),
                directory=self.directory,
                user=user,
                limit_seconds=START_LIMIT_SECONDS,
            )
        except EmbeddedPostgresError as error:
            if "pre-existing shared memory block" not in self.last_words():
                raise self._did_not_start() from error
            time.sleep(0.1)

    def _open_log(self, user: ServerUser | None) -> None:
        self.log.touch(mode=0o600)
        if user is not None:
            os.chown(self.log, user.uid, user.gid)
        if self.log.stat().st_size > LOG_LIMIT_BYTES:
            os.truncate(self.log, 0)

    def _options(self, socket_folder: Path) -> str:
        settings = {"listen_addresses": "", "port": PORT, **self.settings}
        settings["unix_socket_directories"] = str(socket_folder)
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())

    def _did_not_start(self) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"The embedded PostgreSQL in {self.directory} did not start: {self.last_words()} "
            f"(its log: {self.log})"
        )


def _socket_folder(data: Path, user: ServerUser | None) -> Path:
    """Returns where the socket goes: beside the data, or a private folder when that cannot be.

    Cannot be: longer than the system allows, or with characters that mean something in a list of
    folders or a connection string.
    """
    name = f"/.s.PGSQL.{PORT}"
    plain = re.fullmatch(r"[\w/.@+-]+", str(data), re.ASCII)
    if plain and len(str(data) + name) <= SOCKET_PATH_LIMIT:
        return data
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX))
    if len(str(folder) + name) > SOCKET_PATH_LIMIT:
        folder.rmdir()
        raise EmbeddedPostgresError(
            "No folder has a path short enough for PostgreSQL's socket: "
            f"set TMPDIR to /tmp, {INSTEAD}"
        )
    if user is not None:
        os.chown(folder, user.uid, user.gid)
        open_the_way(folder)
    return folder
