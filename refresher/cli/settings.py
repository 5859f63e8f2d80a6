"""`refresher settings`: the effective settings, where each comes from, and no secret."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer
from pydantic import BaseModel, SecretStr

from refresher.cli import handed
from refresher.cli.output import Json, command, emit, note, seconds_of, table
from refresher.errors import SettingsError
from refresher.rules.masking import MASK, masked_url
from refresher.runtime.cipher import key_id, parse_key
from refresher.settings import PREFIX, Settings, load, variable

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting as it is shown; `origin` is the variable that set it, its file, or "default"."""

    variable: str
    value: object
    origin: str


@command(
    app,
    "refresher settings",
    "refresher settings --changed",
    "refresher settings --json | jq .DATABASE_URL",
)
def settings(
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what the environment sets.")
    ] = False,
    json: Json = False,
) -> None:
    """Show every setting as it counts, and whether it comes from the environment.

    Passwords and keys are masked; an encryption key is shown by its id, which reveals nothing of it.
    """
    every = effective(load())
    lines = [line for line in every if not changed or line.origin != "default"]
    if json:
        emit({line.variable: {"value": line.value, "origin": line.origin} for line in lines})
    else:
        shown = [(x.variable, seconds_of(x.variable.lower(), x.value), x.origin) for x in lines]
        table(["setting", "value", "from"], shown, spare=("from",))
    if not lines:
        note("Nothing is set: every setting has its default.")


def effective(settings: Settings) -> Iterator[SettingLine]:
    """Yields all settings in the order of `settings.py`, secrets masked."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _flow(name, value, given=name in settings.model_fields_set)
        else:
            yield _line(name, value, given=name in settings.model_fields_set)


def _flow(flow: str, value: BaseModel, *, given: bool) -> Iterator[SettingLine]:
    for key in type(value).model_fields:
        yield _line(
            f"{flow}.{key}", getattr(value, key), given=given and key in value.model_fields_set
        )


def _line(field: str, value: object, *, given: bool) -> SettingLine:
    origin = _set_by(field) if given else "default"
    return SettingLine(variable(field), _shown(field, value), origin)


def _set_by(field: str) -> str:
    prefixed = f"{PREFIX}{field.replace('.', '__').upper()}"
    here = {name.upper() for name in os.environ}
    name = prefixed if prefixed in here else variable(field)
    return str(handed.origin(name) or name)


def _shown(field: str, value: object) -> object:
    if field == "encryption_keys" and isinstance(value, tuple):
        return [_key(key) for key in value]
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if isinstance(value, SecretStr):
        return masked_url(value.get_secret_value())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _key(key: SecretStr) -> str:
    try:
        return f"{MASK} (id {key_id(parse_key(key.get_secret_value())).hex()})"
    except SettingsError:
        return f"{MASK} (not a key)"
