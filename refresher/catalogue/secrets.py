"""Reads the secrets that a table of the providers file names; only this module reads the environment.

Each has three ways: itself, the name of a variable (`…_env`), the name of a file (`…_file`). None
stands in a sentence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from refresher.rules.connection import Secret

TomlTable = Mapping[str, object]


class Wrong(Exception):
    """What is wrong with one table, a sentence each. Never leaves this package."""


class SecretMissing(Wrong):
    """A table is right, but what it names for its secret is not there: it may come."""

    def __init__(self, why: str, file: Path | None = None) -> None:
        super().__init__(why)
        self.file = file


def read_secret(given: TomlTable, field: str, folder: Path) -> Secret | None:
    """Returns the secret that a checked table gives as `field`, `field_env` or `field_file`.

    A relative file counts from `folder`. Raises `Wrong`, or `SecretMissing`.
    """
    ways: dict[str, Callable[[str, Any], Secret]] = {
        field: lambda _name, plain: Secret(plain.get_secret_value()),
        f"{field}_env": _from_environment,
        f"{field}_file": lambda name, file: _from_file(name, folder / file),
    }
    found = [(name, read) for name, read in ways.items() if name in given]
    if len(found) > 1:
        raise Wrong(f"{found[0][0]} and {found[1][0]} are both set: give the secret in one way")
    return next((read(name, given[name]) for name, read in found), None)


def _from_environment(field: str, variable: str) -> Secret:
    text = os.environ.get(variable, "").strip()
    if not text:
        raise SecretMissing(f"{field} names {variable}, which is not set in the environment")
    return Secret(text)


def _from_file(field: str, path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise SecretMissing(f"{field} names {path}, which is not UTF-8 text", path) from None
    except OSError as error:
        why = f"{field} names {path}, which cannot be read: {error.strerror}"
        raise SecretMissing(why, path) from None
    if not text:
        raise SecretMissing(f"{field} names {path}, which is empty", path)
    return Secret(text)
