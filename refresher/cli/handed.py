"""The settings that a command takes from `refresher up` of the working directory, where it has none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from refresher.cli.output import note
from refresher.devkit.handed_on import ENVIRONMENT_FILE, handed_on
from refresher.errors import SettingsError
from refresher.settings import Settings, variable

_taken: dict[str, Path] = {}


def take() -> None:
    """Adds to this process's environment what `up` wrote and nobody has said; tells it on a terminal.

    A file that is not ours alone is left, which stderr says in a sentence.
    """
    default = Settings.model_fields["data_directory"].default
    directory = Path(os.environ.get(variable("data_directory")) or default).expanduser()
    file = directory / ENVIRONMENT_FILE
    try:
        found = handed_on(directory, os.environ)
    except SettingsError as error:
        note(f"refresher: {error}")
        return
    os.environ.update(found)
    _taken.update(dict.fromkeys(found, file))
    if found and sys.stderr.isatty():
        note(f"Settings of `refresher up`: {file}")


def origin(name: str) -> Path | None:
    """Returns the file that set a variable, None where it was the environment or nobody."""
    return _taken.get(name)
