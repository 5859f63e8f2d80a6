"""Loads the built-in entries, then the user's file over them. Every fault is one sentence.

A section's faults are all told at once. A table by itself is read in `tables.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from refresher.catalogue.entries import DEFAULT_APP, AppEntry, Catalogue, Origin, Unusable
from refresher.catalogue.tables import (
    NAME_PATTERN,
    SecretMissing,
    TomlTable,
    Wrong,
    read_app,
    read_provider,
    read_source,
)
from refresher.errors import CatalogueError, did_you_mean
from refresher.rules.providers import Provider

T = TypeVar("T")
SECTIONS = ("providers", "apps", "signals")


def load(
    extra_file: Path | None = None,
    *,
    allow_loopback: bool = False,
    without_missing_secrets: bool = False,
) -> Catalogue:
    """Returns the built-in providers, changed and added to by the user's file.

    `allow_loopback` lets the file's URLs use plain http to this machine. An app or a source of signals
    whose secret is not there is a fault, or, `without_missing_secrets`, stands in `unusable` and keeps
    nothing else from working. Raises `CatalogueError` with one sentence a fault.
    """
    providers = {name: _built_in(name) for name in built_in_tables()}
    origins: dict[str, Origin] = dict.fromkeys(providers, "built-in")
    if extra_file is None:
        return Catalogue(providers, origins)
    file = _File(extra_file, _read(extra_file))
    added = file.each(
        "providers", lambda name, table: _added(name, table, allow_loopback=allow_loopback)
    )
    providers = dict(sorted({**providers, **added}.items()))
    folder = extra_file.parent
    apps = file.each("apps", lambda key, table: read_app(key, table, providers, folder))
    signals = file.each(
        "signals",
        lambda key, table: read_source(
            key, table, providers, folder, allow_loopback=allow_loopback
        ),
    )
    if file.missing and not without_missing_secrets:
        file.refuse([f"[{one.table}]: {one.why}" for one in file.missing])
    origins |= dict.fromkeys(added, "file")
    return Catalogue(providers, origins, _sorted(apps, file), signals, tuple(file.missing))


@dataclass(frozen=True, slots=True)
class _File:
    """The user's file while it is read, and the secrets that it names and nobody finds."""

    path: Path
    content: TomlTable
    missing: list[Unusable] = field(default_factory=list)

    def each(self, section: str, read: Callable[[str, TomlTable], T]) -> dict[str, T]:
        """Returns what `read` makes of each table of a section; raises with all its faults."""
        found: dict[str, T] = {}
        wrong: list[str] = []
        for key, table in self._tables(section):
            called = _called(section, key)
            try:
                found[key] = read(key, table)
            except SecretMissing as error:
                app = _app(key) if section == "apps" else None
                self.missing.append(Unusable(called, str(error), error.file, app))
            except Wrong as error:
                wrong += [f"[{called}]: {sentence}" for sentence in error.args]
        self.refuse(wrong)
        return found

    def refuse(self, faults: list[str]) -> None:
        """Raises when there are faults, each behind the file's name."""
        if faults:
            raise CatalogueError("\n".join(f"{self.path}, {fault}" for fault in faults))

    def _tables(self, section: str) -> Iterator[tuple[str, TomlTable]]:
        tables = self.content.get(section, {})
        if not isinstance(tables, dict):
            raise CatalogueError(f"{self.path}: {section} must be tables, such as [{section}.acme]")
        for name, table in tables.items():
            if not isinstance(table, dict):
                raise CatalogueError(
                    f"{self.path}: {name} must be a table of its own, [{section}.{name}]"
                )
        yield from tables.items()


def _called(section: str, key: str) -> str:
    return f'{section}."{key}"' if "/" in key else f"{section}.{key}"


def _app(key: str) -> tuple[str, str]:
    provider, _, name = key.partition("/")
    return provider, name or DEFAULT_APP


def _sorted(apps: Mapping[str, AppEntry], file: _File) -> tuple[AppEntry, ...]:
    """Returns the apps in the order of their names; `acme` and `acme/default` are the same one."""
    found = {(app.provider, app.name): app for app in apps.values()}
    twice = [f"{key}/{DEFAULT_APP}" for key in apps if f"{key}/{DEFAULT_APP}" in apps]
    file.refuse(
        [f'[{_called("apps", key)}]: the app "{DEFAULT_APP}" is given twice' for key in twice]
    )
    return tuple(found[key] for key in sorted(found))


@cache
def built_in_tables() -> Mapping[str, TomlTable]:
    """Returns the tables of the package's own files, by name and sorted."""
    found = files(__package__).joinpath("providers").iterdir()
    texts = {
        f.name.removesuffix(".toml"): f.read_text("utf-8")
        for f in found
        if f.name.endswith(".toml")
    }
    return {name: tomllib.loads(texts[name]) for name in sorted(texts)}


@cache
def _built_in(name: str) -> Provider:
    try:
        return read_provider(name, built_in_tables()[name], allow_loopback=False)
    except Wrong as error:
        lines = "\n".join(f"built-in entry {name}: {sentence}" for sentence in error.args)
        raise CatalogueError(lines) from None


def _added(name: str, table: TomlTable, *, allow_loopback: bool) -> Provider:
    provider = read_provider(name, _extended(name, table), allow_loopback=allow_loopback)
    return _with_own_codes(provider, table)


def _with_own_codes(provider: Provider, table: TomlTable) -> Provider:
    """Returns the provider; the dead-grant codes that the file itself lists count at any status."""
    if "dead_grant_errors" not in table or "dead_grant_errors_at_any_status" in table:
        return provider
    return replace(provider, dead_grant_errors_at_any_status=provider.dead_grant_errors)


def _extended(name: str, table: TomlTable) -> TomlTable:
    """Returns the table laid over the built-in entry that it extends, if any, field by field.

    Raises `Wrong`.
    """
    built_in = built_in_tables()
    if not re.fullmatch(NAME_PATTERN, name):
        raise Wrong(f'"{name}" is no name for a provider: use a-z, 0-9, "-" and "_", 64 at most')
    if "extends" not in table:
        if name not in built_in:
            return table
        raise Wrong(f'extends is missing: add extends = "{name}" to change the built-in entry')
    base = table["extends"]
    if not isinstance(base, str) or base not in built_in:
        hint = did_you_mean(str(base), built_in)
        raise Wrong(f'extends is "{base}", but no built-in provider is called so{hint}')
    own = {field: value for field, value in table.items() if field != "extends"}
    return {**built_in[base], **own}


def _read(path: Path) -> TomlTable:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise CatalogueError(f"providers file {path} does not exist") from None
    except IsADirectoryError:
        raise CatalogueError(f"providers file {path} is a directory, not a TOML file") from None
    except OSError as error:
        raise CatalogueError(f"providers file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(
            f"providers file {path} is not UTF-8 text (byte {error.start})"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"providers file {path} is not valid TOML: {error}") from None
    for key in content:
        if key not in SECTIONS:
            hint = did_you_mean(key, SECTIONS)
            raise CatalogueError(
                f"{path}: no section is called [{key}]{hint}: use {', '.join(SECTIONS)}"
            )
    return content
