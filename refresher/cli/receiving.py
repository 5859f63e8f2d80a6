"""What the receiver of an export has: a pair of keys, each a line in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from refresher.cli.output import WrongUse
from refresher.errors import SettingsError
from refresher.runtime.receiving_key import ReceivingKey, private_key

KeyFile = Annotated[
    Path | None,
    typer.Option(help="The private key that an export's tokens are sealed to.", metavar="FILE"),
]
Force = Annotated[
    bool, typer.Option("--force", help="An export wins over what changed here since.")
]
MOST_BYTES = 4_096


def read(path: Path | None) -> ReceivingKey | None:
    """Returns the private key in a file; raises `WrongUse` naming the file."""
    if path is None:
        return None
    try:
        return private_key(text_of(path))
    except SettingsError as error:
        raise WrongUse(f"--key-file {path}: {error}") from None


def text_of(path: Path) -> str:
    """Returns the text of a small file; raises `WrongUse` naming it."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode()
    except UnicodeDecodeError:
        raise WrongUse(f"{path} is not a text file") from None
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}") from None


def write(path: Path, key: ReceivingKey) -> None:
    """Keeps a private key in a new file for its owner alone; raises `WrongUse` where one is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WrongUse(f"{path} exists already, and may be needed: name another file") from None
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(f"# Opens what is sealed to {key.public.text}\n{key.text.reveal()}\n")
