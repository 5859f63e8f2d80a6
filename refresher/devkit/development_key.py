"""What only `refresher demo` and `refresher up` make: a key for development, and an environment file.

The key lies beside the database that it protects, which is no protection worth the name in production:
there REFRESHER_ENCRYPTION_KEYS is given from outside, and nothing here runs.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkstemp

from refresher.errors import SettingsError
from refresher.runtime.cipher import new_key, parse_key

KEY_FILE = "development.key"
ENVIRONMENT_FILE = "env"


def own_directory(directory: Path) -> None:
    """Makes `directory` where it is absent: for its owner alone, and unseen by git.

    A folder that is there already is left as it is: it may be somebody's repository.
    """
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
        (directory / ".gitignore").write_text("*\n", encoding="utf-8")


def development_key(directory: Path) -> str:
    """Returns the key in `directory`, made at the first call and readable by its owner alone.

    Two processes that make it at once get the same one. Raises `SettingsError` when others may read
    the file, or when it holds no key.
    """
    path = directory / KEY_FILE
    try:
        own_directory(directory)
        if not path.exists():
            _create(path, new_key() + "\n")
        return _read(path)
    except OSError as error:
        raise SettingsError(
            f"the development key {path} cannot be used: {error.strerror}; "
            "choose another folder with REFRESHER_DATA_DIRECTORY"
        ) from None


def write_private(path: Path, text: str) -> None:
    """Writes `path` anew, mode 0600; a reader sees the old text or the new one, whole."""
    _beside(path, text).replace(path)


def write_environment(directory: Path, variables: Mapping[str, str]) -> Path:
    """Writes `directory/env`, mode 0600, for `set -a; . directory/env; set +a` in a shell."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    path = directory / ENVIRONMENT_FILE
    write_private(path, "\n".join(["# Written by `refresher up` at each start.", *lines, ""]))
    return path


def read_environment(directory: Path) -> dict[str, str]:
    """Returns what `write_environment` wrote last; nothing when there is no such file."""
    try:
        text = (directory / ENVIRONMENT_FILE).read_text(encoding="utf-8")
        words = shlex.split(text, comments=True)
    except (OSError, ValueError):
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def _create(path: Path, text: str) -> None:
    """Makes `path` whole or not at all; whoever was first wins."""
    made = _beside(path, text)
    try:
        os.link(made, path)
    except FileExistsError:
        return
    finally:
        made.unlink()


def _beside(path: Path, text: str) -> Path:
    """Returns a new file next to `path` with mode 0600, as `mkstemp` makes them."""
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                f"the development key {path} is open to other users of this machine "
                f"(mode {mode:03o}): run `chmod 600 {shlex.quote(str(path))}`"
            )
        key = file.read(1000).strip()
    try:
        parse_key(key)
    except SettingsError:
        raise SettingsError(
            f"{path} holds no key: put the right one back, or delete {path.parent} to begin anew "
            "(tokens stored with the old key cannot be opened without it)"
        ) from None
    return key
