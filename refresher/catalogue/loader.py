"""Loads the user's file over the built-in entries. Every fault is one sentence.

The file as text is read in `user_file.py`, a table by itself in `tables.py`, the built-in entries in
`built_in.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from refresher.catalogue import user_file
from refresher.catalogue.apps import read_app
from refresher.catalogue.built_in import BUILT_IN, BuiltIn
from refresher.catalogue.entries import DEFAULT_APP, AppEntry, Catalogue
from refresher.catalogue.generic import GENERIC
from refresher.catalogue.secrets import TomlTable, Wrong
from refresher.catalogue.tables import NAME_PATTERN, read_provider, read_source, with_own_names
from refresher.catalogue.user_file import UserFile
from refresher.catalogue.watching import Reader
from refresher.errors import CatalogueError, did_you_mean
from refresher.rules.providers import Provider


def load(
    extra_file: Path | None = None,
    *,
    allow_loopback: bool = False,
    tolerant: bool = False,
    built_in: BuiltIn = BUILT_IN,
) -> Catalogue:
    """Returns the built-in providers, changed and added to by the user's file.

    `allow_loopback` lets the file's URLs use plain http to this machine. A table that is wrong, or
    whose secret is not there, is a fault; where this is `tolerant`, it stands in `broken` or `unusable`
    and keeps nothing else from working. Raises `CatalogueError` with one sentence a fault.
    """
    if extra_file is None:
        return Catalogue({}, {}, shelf=built_in)
    again = partial(
        load, extra_file, allow_loopback=allow_loopback, tolerant=tolerant, built_in=built_in
    )
    reader = Reader(extra_file, again)  # before the file is read: a change from here on counts
    file = user_file.read(extra_file, strict=not tolerant)
    added = file.each(
        "providers",
        lambda name, table: _added(name, table, built_in, allow_loopback=allow_loopback),
    )
    find = partial(_find, added, built_in)
    names, folder = built_in.names | file.named("providers"), extra_file.parent
    apps = file.each("apps", lambda key, table: read_app(key, table, names, folder, find))
    signals = file.each(
        "signals",
        lambda key, table: read_source(key, table, names, folder, allow_loopback=allow_loopback),
    )
    sorted_apps = _sorted(apps, file)
    if not tolerant:
        _refuse(file)
    return Catalogue(
        added, dict.fromkeys(added, "file"), sorted_apps, signals, tuple(file.missing),
        broken=file.broken, shelf=built_in, again=reader,
    )  # fmt: skip


def _find(added: Mapping[str, Provider], built_in: BuiltIn, name: str) -> Provider | None:
    try:
        return added.get(name) or built_in.provider(name)
    except CatalogueError:
        return None


def _refuse(file: UserFile) -> None:
    faults = [one.why for one in file.broken]
    faults += [f"{file.path}, [{one.table}]: {one.why}" for one in file.missing]
    if faults:
        raise CatalogueError("\n".join(faults))


def _sorted(apps: Mapping[str, AppEntry], file: UserFile) -> tuple[AppEntry, ...]:
    """Returns the apps in the order of their names; `acme` and `acme/default` are the same one."""
    found = {(app.provider, app.name): app for app in apps.values()}
    for key in apps:
        if f"{key}/{DEFAULT_APP}" in apps:
            file.refuse("apps", key, f'the app "{DEFAULT_APP}" is given twice')
            del found[key, DEFAULT_APP]
    return tuple(found[key] for key in sorted(found))


def _added(name: str, table: TomlTable, built_in: BuiltIn, *, allow_loopback: bool) -> Provider:
    whole = _extended(name, with_own_names(table), built_in)
    provider = read_provider(name, whole, allow_loopback=allow_loopback)
    return _with_own_codes(provider, table)


def _with_own_codes(provider: Provider, table: TomlTable) -> Provider:
    """Returns the provider; the dead-grant codes that the file itself lists count at any status."""
    if "dead_grant_errors" not in table or "dead_grant_errors_at_any_status" in table:
        return provider
    return replace(provider, dead_grant_errors_at_any_status=provider.dead_grant_errors)


def _extended(name: str, table: TomlTable, built_in: BuiltIn) -> TomlTable:
    """Returns the table laid over the built-in entry that it extends, if any, field by field.

    Raises `Wrong`.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise Wrong(f'"{name}" is no name for a provider: use a-z, 0-9, "-" and "_", 64 at most')
    if "extends" not in table:
        if name not in built_in.names:
            return table
        raise Wrong(f'extends is missing: add extends = "{name}" to change the built-in entry')
    base, known = table["extends"], built_in.names | GENERIC.names
    if not isinstance(base, str) or base not in known:
        hint = did_you_mean(str(base), known)
        raise Wrong(f'extends is "{base}", but no built-in provider is called so{hint}')
    own = {field: value for field, value in table.items() if field != "extends"}
    try:
        shelf = built_in if base in built_in.names else GENERIC
        return _laid_over(shelf.table(base), own)
    except CatalogueError as error:
        raise Wrong(f'extends is "{base}", which is wrong itself: {error}') from None


def _laid_over(base: TomlTable, own: TomlTable) -> TomlTable:
    """Returns a table with what the own one says; `connect` is a table of fields as well."""
    theirs, ours = base.get("connect"), own.get("connect")
    whole = {**base, **own}
    if isinstance(theirs, dict) and isinstance(ours, dict):
        whole["connect"] = {**theirs, **ours}
    return whole
