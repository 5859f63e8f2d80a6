"""Reads encryption keys from a file (REFRESHER_ENCRYPTION_KEYS_FILE), such as a mounted secret.

One key a line, or commas between; the first seals, all open. Empty lines and lines that begin with "#"
do not count. Read once, when a process starts. No text of the file ever gets into a message.
"""

from __future__ import annotations

import stat
from pathlib import Path

from refresher.errors import SettingsError

VARIABLE = "REFRESHER_ENCRYPTION_KEYS_FILE"


def read(path: Path) -> list[str]:
    """Returns the keys as texts, at least one; raises `SettingsError` naming the file."""
    try:
        text = path.read_text("utf-8")
    except UnicodeError:
        raise SettingsError(f"{VARIABLE}: {path} is not a text file") from None
    except OSError as error:
        raise SettingsError(f"{VARIABLE}: {path} cannot be read: {error.strerror}") from None
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    keys = [key.strip() for key in ",".join(lines).split(",") if key.strip()]
    if not keys:
        raise SettingsError(
            f"{VARIABLE}: {path} holds no key: `refresher encryption new-key` prints one"
        )
    return keys


def is_open_to_others(path: Path) -> bool:
    """Whether more than its owner and group may read the file, or more than its owner may write it."""
    mode = path.stat().st_mode
    return bool(mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP))
