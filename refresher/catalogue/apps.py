"""Reads `[apps.…]`: our OAuth clients, with secrets from the file, the environment or another file.

The only module here that reads the environment. A secret never stands in a fault's sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from refresher.catalogue.entries import DEFAULT_APP, AppEntry
from refresher.catalogue.schema import APP_FIELDS, NAME_PATTERN, AppTable
from refresher.catalogue.sentences import sentences
from refresher.errors import did_you_mean
from refresher.rules.connection import Secret
from refresher.rules.providers import Provider


class Fault(Exception):
    """What is wrong with one table. Never leaves this module."""


def read_app(
    key: str, table: Mapping[str, object], providers: Mapping[str, Provider], folder: Path
) -> AppEntry | list[str]:
    """Returns the app, or what is wrong with its table.

    A relative `client_secret_file` counts from `folder`, where the providers file is.
    """
    provider, _, name = key.partition("/")
    if provider not in providers:
        return [f'no provider is called "{provider}"{did_you_mean(provider, providers)}']
    if "/" in key and not re.fullmatch(NAME_PATTERN, name):
        return [f'"{name}" is no name for an app: use a-z, 0-9, "-" and "_"']
    try:
        app = AppTable.model_validate(table)
        secret = _secret(app, folder)
    except ValidationError as error:
        return sentences(error, APP_FIELDS)
    except Fault as fault:
        return [str(fault)]
    return AppEntry(provider, app.client_id, secret, name or DEFAULT_APP)


def _secret(app: AppTable, folder: Path) -> Secret | None:
    ways = [field for field in APP_FIELDS[1:] if getattr(app, field) is not None]
    if len(ways) > 1:
        raise Fault(f"{ways[0]} and {ways[1]} are both set: give the secret in one way")
    if app.client_secret is not None:
        return Secret(app.client_secret.get_secret_value())
    if app.client_secret_env is not None:
        return _from_environment(app.client_secret_env)
    if app.client_secret_file is not None:
        return _from_file(folder / app.client_secret_file)
    return None


def _from_environment(variable: str) -> Secret:
    text = os.environ.get(variable, "").strip()
    if not text:
        raise Fault(f"client_secret_env names {variable}, which is not set in the environment")
    return Secret(text)


def _from_file(path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise Fault(f"client_secret_file names {path}, which is not UTF-8 text") from None
    except OSError as error:
        raise Fault(
            f"client_secret_file names {path}, which cannot be read: {error.strerror}"
        ) from None
    if not text:
        raise Fault(f"client_secret_file names {path}, which is empty")
    return Secret(text)
