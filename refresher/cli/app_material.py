"""What `refresher apps set` takes beside id and secret: options, and how each is read.

A secret is never an argument: it comes from a variable or a file, and none is repeated in a sentence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from refresher.cli.output import WrongUse
from refresher.rules.connection import Secret

MOST_CHARACTERS = 4_096
MOST_OF_A_FILE = 65_536

PreviousSecretEnv = Annotated[
    str | None,
    typer.Option(help="The variable with the secret before, tried where the new one is refused."),
]
PrivateKeyFile = Annotated[
    Path | None, typer.Option(help="The private key that signs for the app, in PEM.")
]
KeyId = Annotated[str | None, typer.Option(help="What the provider calls that key.")]
CertificateFile = Annotated[
    Path | None, typer.Option(help="The app's certificate in PEM, its chain behind it.")
]
CertificateKeyFile = Annotated[
    Path | None, typer.Option(help="The certificate's private key, in PEM.")
]
Placeholders = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A placeholder's value that is the app's."),
]
PlaceholdersEnv = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VARIABLE", help="The like, read from a variable."),
]


def from_variable(option: str, variable: str | None) -> Secret | None:
    """Returns the secret that an environment variable holds; its name is not repeated."""
    if variable is None:
        return None
    # Somebody may have given the secret itself.
    return Secret(checked(f"the variable that --{option} names", os.environ.get(variable, "")))


def from_file(option: str, path: Path | None) -> Secret | None:
    """Returns what a file holds, as a secret."""
    text = text_of(option, path)
    return Secret(text) if text else None


def text_of(option: str, path: Path | None) -> str | None:
    """Returns the text of a file; raises `WrongUse`."""
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_OF_A_FILE + 1).strip()
    except UnicodeDecodeError:
        raise WrongUse(f"--{option}: {path} is not a text file") from None
    except OSError as error:
        raise WrongUse(f"--{option}: {path} cannot be read: {error.strerror}") from None
    if not text or len(text) > MOST_OF_A_FILE:
        raise WrongUse(f"--{option}: {path} is empty, or longer than {MOST_OF_A_FILE:,} characters")
    return text


def values(plain: Sequence[str] | None, variables: Sequence[str] | None) -> dict[str, str]:
    """Returns placeholders by name, from `NAME=VALUE` and `NAME=VARIABLE`."""
    found = dict(_pairs("placeholder", plain or ()))
    for name, variable in _pairs("placeholder-env", variables or ()):
        secret = from_variable(f"placeholder-env {name}", variable)
        found[name] = secret.reveal() if secret else ""
    return found


def _pairs(option: str, given: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in given:
        name, separator, text = pair.partition("=")
        if not (name and separator and text):
            raise WrongUse(f"--{option} takes a name, an equals sign and a text, as in tenant=acme")
        yield name, text


def checked(what: str, text: str) -> str:
    """Returns `text` without the spaces around it, or refuses it without repeating it."""
    text = text.strip()
    if not text:
        raise WrongUse(f"{what} is empty, or not set")
    if len(text) > MOST_CHARACTERS:
        raise WrongUse(f"{what} is longer than {MOST_CHARACTERS:,} characters")
    if not text.isascii() or not text.isprintable():
        raise WrongUse(f"{what} contains characters that no client id, name or secret may have")
    return text
