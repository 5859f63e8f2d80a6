"""Loads the built-in entries, then the user's file over them. Every fault is one sentence.

A section's faults are all told at once. Shapes are in `schema.py`, relations in `coherence.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from refresher.catalogue.apps import SecretMissing, read_app
from refresher.catalogue.coherence import faults
from refresher.catalogue.entries import DEFAULT_APP, AppEntry, Catalogue, Origin, Unusable
from refresher.catalogue.schema import NAME_PATTERN, PROVIDER_FIELDS, ProviderTable
from refresher.catalogue.sentences import sentences
from refresher.catalogue.signals import read_source
from refresher.errors import CatalogueError, did_you_mean
from refresher.rules.providers import Provider
from refresher.rules.signals import SignalSource

Table = Mapping[str, object]
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
    apps: tuple[AppEntry, ...] = ()
    signals: dict[str, SignalSource] = {}
    missing: list[Unusable] = []
    if extra_file is not None:
        content = _read(extra_file)
        added = _providers_of(content, extra_file, allow_loopback=allow_loopback)
        providers = dict(sorted({**providers, **added}.items()))
        origins |= dict.fromkeys(added, "file")
        apps = _apps_of(content, extra_file, providers, missing)
        signals = _signals_of(
            content, extra_file, providers, missing, allow_loopback=allow_loopback
        )
    if missing and not without_missing_secrets:
        raise CatalogueError(
            "\n".join(f"{extra_file}, [{one.table}]: {one.why}" for one in missing)
        )
    return Catalogue(providers, origins, apps, signals, tuple(missing))


@cache
def built_in_tables() -> Mapping[str, Table]:
    """Returns the tables of the package's own files, by name and sorted."""
    found = files(__package__).joinpath("providers").iterdir()
    texts = {f.name.removesuffix(".toml"): f.read_text("utf-8") for f in found if _is_toml(f.name)}
    return {name: tomllib.loads(texts[name]) for name in sorted(texts)}


@cache
def _built_in(name: str) -> Provider:
    found = _provider(name, built_in_tables()[name], allow_loopback=False)
    if isinstance(found, Provider):
        return found
    raise CatalogueError(_lines(f"built-in entry {name}", found))


def _is_toml(name: str) -> bool:
    return name.endswith(".toml")


def _provider(name: str, table: Table, *, allow_loopback: bool) -> Provider | list[str]:
    try:
        provider = ProviderTable.model_validate(table).to_provider(name)
    except ValidationError as error:
        return sentences(error, (*PROVIDER_FIELDS, "extends"))
    found = list(faults(provider, allow_loopback=allow_loopback))
    return found or provider


def _read(path: Path) -> Table:
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


def _providers_of(content: Table, path: Path, *, allow_loopback: bool) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    wrong: list[str] = []
    for name, table in _tables(content, "providers", path).items():
        merged = _extended(name, table)
        entry = (
            merged
            if isinstance(merged, list)
            else _provider(name, merged, allow_loopback=allow_loopback)
        )
        if isinstance(entry, Provider):
            found[name] = _with_own_codes(entry, table)
        else:
            wrong.append(_lines(f"{path}, [providers.{name}]", entry))
    if wrong:
        raise CatalogueError("\n".join(wrong))
    return found


def _with_own_codes(provider: Provider, table: Table) -> Provider:
    """Returns the provider; the dead-grant codes that the file itself lists count at any status."""
    if "dead_grant_errors" not in table or "dead_grant_errors_at_any_status" in table:
        return provider
    return replace(provider, dead_grant_errors_at_any_status=provider.dead_grant_errors)


def _extended(name: str, table: Table) -> Table | list[str]:
    """Returns the table laid over the built-in entry that it extends, if any, field by field."""
    built_in = built_in_tables()
    if not re.fullmatch(NAME_PATTERN, name):
        return [f'"{name}" is no name for a provider: use a-z, 0-9, "-" and "_", 64 at most']
    if "extends" not in table:
        if name not in built_in:
            return table
        return [f'extends is missing: add extends = "{name}" to change the built-in entry']
    base = table["extends"]
    if not isinstance(base, str) or base not in built_in:
        hint = did_you_mean(str(base), built_in)
        return [f'extends is "{base}", but no built-in provider is called so{hint}']
    own = {field: value for field, value in table.items() if field != "extends"}
    return {**built_in[base], **own}


def _apps_of(
    content: Table, path: Path, providers: Mapping[str, Provider], missing: list[Unusable]
) -> tuple[AppEntry, ...]:
    found: dict[tuple[str, str], AppEntry] = {}
    wrong: list[str] = []
    for key, table in _tables(content, "apps", path).items():
        called = f'apps."{key}"' if "/" in key else f"apps.{key}"
        where = f"{path}, [{called}]"
        try:
            entry = read_app(key, table, providers, path.parent)
        except SecretMissing as error:
            provider, _, name = key.partition("/")
            app = (provider, name or DEFAULT_APP)
            missing.append(Unusable(called, str(error), error.file, app))
            continue
        if isinstance(entry, AppEntry):
            if (entry.provider, entry.name) in found:
                wrong.append(f'{where}: the app "{entry.name}" is given twice')
            found[entry.provider, entry.name] = entry
        else:
            wrong.append(_lines(where, entry))
    if wrong:
        raise CatalogueError("\n".join(wrong))
    return tuple(found[key] for key in sorted(found))


def _signals_of(
    content: Table,
    path: Path,
    providers: Mapping[str, Provider],
    missing: list[Unusable],
    *,
    allow_loopback: bool,
) -> dict[str, SignalSource]:
    found: dict[str, SignalSource] = {}
    wrong: list[str] = []
    for key, table in _tables(content, "signals", path).items():
        try:
            source = read_source(key, table, providers, path.parent, allow_loopback=allow_loopback)
        except SecretMissing as error:
            missing.append(Unusable(f"signals.{key}", str(error), error.file))
            continue
        if isinstance(source, SignalSource):
            found[key] = source
        else:
            wrong.append(_lines(f"{path}, [signals.{key}]", source))
    if wrong:
        raise CatalogueError("\n".join(wrong))
    return found


def _tables(content: Table, section: str, path: Path) -> dict[str, Table]:
    tables = content.get(section, {})
    if not isinstance(tables, dict):
        raise CatalogueError(f"{path}: {section} must be tables, such as [{section}.acme]")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise CatalogueError(f"{path}: {name} must be a table of its own, [{section}.{name}]")
    return tables


def _lines(where: str, sentences_: list[str]) -> str:
    return "\n".join(f"{where}: {sentence}" for sentence in sentences_)
