"""The entries that come with refresher, one file each: names at once, an entry when it is asked for.

A process needs a handful of some hundred entries: reading and checking all of them would cost each
start, each command and each test a second.
"""

from __future__ import annotations

import tomllib
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from refresher.catalogue.secrets import TomlTable, Wrong
from refresher.catalogue.tables import read_provider, with_own_names
from refresher.errors import CatalogueError
from refresher.rules.providers import Provider

ENDING = ".toml"


class BuiltIn:
    """The entries of a folder. Safe to use from several threads: who asks twice reads twice."""

    def __init__(self, folder: Traversable) -> None:
        self._folder = folder
        self._read: dict[str, Provider] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """Their names."""
        found = (file.name for file in self._folder.iterdir())
        return frozenset(name.removesuffix(ENDING) for name in found if name.endswith(ENDING))

    def table(self, name: str) -> TomlTable:
        """Returns what the file of an entry says; raises `CatalogueError`."""
        try:
            text = self._folder.joinpath(name + ENDING).read_text("utf-8")
            return with_own_names(tomllib.loads(text))
        except Wrong as error:
            raise _fault(name, error) from None
        except (OSError, ValueError) as error:
            raise CatalogueError(f"built-in entry {name} cannot be read: {error}") from None

    def provider(self, name: str) -> Provider:
        """Returns an entry, read and checked the first time; raises `CatalogueError`."""
        if name not in self._read:
            table = self.table(name)
            try:
                self._read[name] = read_provider(name, table, allow_loopback=False)
            except Wrong as error:
                raise _fault(name, error) from None
        return self._read[name]


def _fault(name: str, error: Wrong) -> CatalogueError:
    return CatalogueError("\n".join(f"built-in entry {name}: {said}" for said in error.args))


BUILT_IN = BuiltIn(files("refresher.catalogue").joinpath("providers"))
