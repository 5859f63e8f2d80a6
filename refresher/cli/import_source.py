"""Where an import reads from: a file, stdin, another system's API, or its database.

Keys and passwords come from the environment: arguments are seen by everybody on the machine.
"""

from __future__ import annotations

import os
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from refresher.cli.import_files import entries
from refresher.cli.import_run import ImportLine, Reader, decoded, lines, understood
from refresher.cli.output import WrongUse
from refresher.errors import SettingsError
from refresher.outbound import foreign
from refresher.rules.connection import Secret
from refresher.rules.moving import Mover, System, Wishes
from refresher.rules.moving.fixtures import Fixture, is_entry
from refresher.rules.moving.nango import KEY
from refresher.rules.registration import NewConnection, read
from refresher.runtime.services import Services
from refresher.store import foreign as tables

STDIN = "-"
VARIABLE = "env:"
KEYS = {System.NANGO: "NANGO_SECRET_KEY", System.COMPOSIO: "COMPOSIO_API_KEY"}
_POSTGRES = ("postgres://", "postgresql://")


@dataclass(frozen=True, slots=True)
class Moving:
    """From which system, how it is wanted, and from which table of it."""

    system: System
    wishes: Wishes
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: entries, what one is called, and how far of how much the reading is."""

    lines: Iterator[ImportLine]
    unit: str = "line"
    size: int | None = None
    at: Callable[[], int] = lambda: 0


def path_of(given: str) -> Path | None:
    """Returns the file that is named, None for stdin, an API or a database."""
    elsewhere = given == STDIN or given.startswith((VARIABLE, "http://", "https://", *_POSTGRES))
    return None if elsewhere else Path(given)


@contextmanager
def opened(given: str, moving: Moving | None, services: Services) -> Iterator[Source]:
    """Opens what the argument names; raises `WrongUse`."""
    if moving is not None and given.startswith(("http://", "https://")):
        yield _api(given, moving.system, services)
    elif moving is not None and given.startswith((VARIABLE, *_POSTGRES)):
        found = tables.rows(_database_url(given), moving.system, moving.table)
        yield Source(_numbered(found), "row")
    else:
        path = path_of(given)
        with _stream(path) as stream:
            unit, found_lines = ("line", lines(stream)) if moving is None else entries(stream)
            size = path.stat().st_size if path is not None and path.is_file() else None
            yield Source(found_lines, unit, size, stream.tell if size is not None else lambda: 0)


@contextmanager
def _stream(source: Path | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        raise WrongUse(f"{source} does not exist") from None
    except IsADirectoryError:
        raise WrongUse(f"{source} is a directory, not a file of JSON Lines") from None
    except OSError as error:
        raise WrongUse(f"{source} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def _api(url: str, system: System, services: Services) -> Source:
    name = KEYS.get(system)
    if name is None:
        raise WrongUse(f"{system} has no API for this: give a file, or its database")
    key = os.environ.get(name, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise WrongUse(f"put the key of {system}'s API into the variable {name}")
    services.exchange.egress.check(url, field="the API's URL")
    ask = foreign.nango if system is System.NANGO else foreign.composio
    return Source(_numbered(ask(services.exchange.egress, url, Secret(key))), "connection")


def _database_url(given: str) -> str:
    if given.startswith(VARIABLE):
        name = given.removeprefix(VARIABLE)
        url = os.environ.get(name, "").strip()
        if not url:
            raise WrongUse(f"the variable {name} is not set: it names their database")
        return url
    if urlsplit(given).password:
        raise WrongUse(
            "a password in an argument is seen by everybody on this machine: put the URL into a "
            "variable, and give env:NAME"
        )
    return given


def _numbered(found: Iterator[bytes]) -> Iterator[ImportLine]:
    return (ImportLine(number, raw) for number, raw in enumerate(found, start=1))


def reader_of(moving: Moving | None, services: Services) -> Reader:
    """Returns what understands an entry; entries that are nobody's connection it answers with None."""
    if moving is None:
        return understood
    mover = Mover(moving.system, moving.wishes, services.catalogue, _nango_key())
    fixture = Fixture()

    def understand(line: ImportLine) -> NewConnection | None:
        row = decoded(line)
        if is_entry(row):
            row = fixture.row(row)
            if row is None:
                return None
        return read(mover.line(row))

    return understand


def _nango_key() -> bytes | None:
    """Returns the key of Nango's database, None where none is given."""
    text = os.environ.get(KEY, "").strip()
    if not text:
        return None
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise SettingsError(f"{KEY} must be 32 bytes in base64")
    return key
