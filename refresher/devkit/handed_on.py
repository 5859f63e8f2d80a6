"""What `refresher up` hands on: its settings, in a file that a shell and other commands read.

A command that is told of no database takes them from there: it is for whoever ran `refresher up` in
this folder. Processes (scheduler, worker, web) never do: who runs them says what they run with.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import mkstemp

from refresher.errors import SettingsError
from refresher.settings import PREFIX, Settings
from refresher.settings.names import known_variables

ENVIRONMENT_FILE = "env"
FIRST_LINE = "# Written by `refresher up` at each start."


def write_private(path: Path, text: str) -> None:
    """Writes `path` anew, mode 0600; a reader sees the old text or the new one, whole."""
    beside(path, text).replace(path)


def write_environment(directory: Path, variables: Mapping[str, str]) -> Path:
    """Writes `directory/env`, mode 0600, for commands, and for `set -a; . directory/env; set +a`."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    path = directory / ENVIRONMENT_FILE
    write_private(path, "\n".join([FIRST_LINE, *lines, ""]))
    return path


def read_environment(directory: Path) -> dict[str, str]:
    """Returns what `write_environment` wrote last; nothing when there is no such file."""
    try:
        return _variables(
            (directory / ENVIRONMENT_FILE).read_text(encoding="utf-8", errors="replace")
        )
    except OSError:
        return {}


def handed_on(directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns what `up` wrote and `environment` leaves unsaid; nothing where that names a database.

    Raises `SettingsError` for a file that another user owns, may read or change.
    """
    said = {_bare(name) for name, value in environment.items() if value}
    text = "" if "DATABASE_URL" in said else _own_text(directory / ENVIRONMENT_FILE)
    if not text.startswith(FIRST_LINE):
        return {}
    known = known_variables(Settings.model_fields)
    written = {name: value for name, value in _variables(text).items() if name in known}
    return {name: value for name, value in written.items() if not _is_said(name, said)}


def beside(path: Path, text: str) -> Path:
    """Returns a new file next to `path` with mode 0600, as `mkstemp` makes them."""
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _own_text(path: Path) -> str:
    """Returns what a plain file holds that is ours alone; an empty text where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return ""
        if about.st_uid != os.geteuid():
            raise SettingsError(
                f"{path} belongs to another user, so it is not read: set DATABASE_URL, or run this as "
                "whoever ran `refresher up`"
            )
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                f"{path} holds keys and is open to other users of this machine, so it is not read: "
                f"run `chmod 600 {shlex.quote(str(path))}`"
            )
        return file.read()


def _variables(text: str) -> dict[str, str]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # a quote that nothing closes
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def _bare(name: str) -> str:
    return name.upper().removeprefix(PREFIX)


def _is_said(name: str, said: Collection[str]) -> bool:
    """Whether a variable is set, by another of its names, as part of a whole, or as a file."""
    bare = _bare(name)
    flow, _, _ = bare.partition("__")
    return not {bare, flow, f"{bare}_FILE", bare.removesuffix("_FILE")}.isdisjoint(said)
