"""Reads `[apps.…]`: our OAuth clients, with secrets from the file, the environment or another file.

The only module here that reads the environment. A secret never stands in a fault's sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from refresher.catalogue.entries import DEFAULT_APP, AppEntry
from refresher.catalogue.schema import APP_FIELDS, NAME_PATTERN, AppTable
from refresher.catalogue.sentences import sentences
from refresher.errors import did_you_mean
from refresher.rules.connection import Secret
from refresher.rules.providers import Provider


class Fault(Exception):
    """What is wrong with one table. Never leaves this package."""


class SecretMissing(Fault):
    """A table is right, but what it names for its secret is not there: it may come."""

    def __init__(self, why: str, file: Path | None = None) -> None:
        super().__init__(why)
        self.file = file


def read_app(
    key: str, table: Mapping[str, object], providers: Mapping[str, Provider], folder: Path
) -> AppEntry | list[str]:
    """Returns the app, or what is wrong with its table; raises `SecretMissing`.

    A relative `client_secret_file` counts from `folder`, where the providers file is.
    """
    provider, _, name = key.partition("/")
    if provider not in providers:
        return [f'no provider is called "{provider}"{did_you_mean(provider, providers)}']
    if "/" in key and not re.fullmatch(NAME_PATTERN, name):
        return [f'"{name}" is no name for an app: use a-z, 0-9, "-" and "_"']
    try:
        app = AppTable.model_validate(table)
        secret = find_secret(app, APP_FIELDS[1:], folder)
    except ValidationError as error:
        return sentences(error, APP_FIELDS)
    except SecretMissing:
        raise
    except Fault as fault:
        return [str(fault)]
    return AppEntry(
        provider,
        app.client_id,
        secret,
        name or DEFAULT_APP,
        secret_in_clear=app.client_secret is not None,
        secret_file=folder / app.client_secret_file if app.client_secret_file else None,
    )


def find_secret(table: BaseModel, fields: Sequence[str], folder: Path) -> Secret | None:
    """Returns the secret that one of three fields gives: itself, a variable's name, a file's name."""
    ways = [field for field in fields if getattr(table, field) is not None]
    if len(ways) > 1:
        raise Fault(f"{ways[0]} and {ways[1]} are both set: give the secret in one way")
    plain, variable, file = (getattr(table, field) for field in fields)
    if plain is not None:
        return Secret(plain.get_secret_value())
    if variable is not None:
        return _from_environment(fields[1], variable)
    return _from_file(fields[2], folder / file) if file is not None else None


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
