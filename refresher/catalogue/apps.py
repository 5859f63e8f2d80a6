"""Reads an `[apps.…]` table of the providers file, and says what is wrong with an app."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from refresher.catalogue.entries import DEFAULT_APP, AppEntry
from refresher.catalogue.secrets import TomlTable, Wrong, read_secret
from refresher.catalogue.tables import NAME_PATTERN, AppTable, check_provider, checked
from refresher.errors import InvalidApp, did_you_mean
from refresher.rules.clients import ClientCredentials, material_of
from refresher.rules.placeholders import HOST, app_value_fault
from refresher.rules.providers import CERTIFIED, Provider

IN_CLEAR = ("client_secret", "previous_client_secret")


def read_app(
    key: str,
    table: TomlTable,
    names: Collection[str],
    folder: Path,
    find: Callable[[str], Provider | None],
) -> AppEntry:
    """Returns the app; raises `Wrong`, or `SecretMissing`.

    Relative files count from `folder`, where the providers file is. Its provider is one of `names`;
    `find` is asked for it where it counts, and returns None for one that is wrong itself.
    """
    provider, _, name = key.partition("/")
    check_provider(provider, names)
    if "/" in key and not re.fullmatch(NAME_PATTERN, name):
        raise Wrong(f'"{name}" is no name for an app: use a-z, 0-9, "-" and "_"')
    given = checked(AppTable, table)
    try:
        client = _client(given, folder)
        client = checked_app(client, find(provider) if client.placeholders else None)
    except InvalidApp as error:
        raise Wrong(*error.sentences) from None
    return AppEntry(
        provider,
        client,
        name or DEFAULT_APP,
        in_clear=tuple(field for field in IN_CLEAR if field in given),
        files=tuple(folder / str(file) for field, file in given.items() if field.endswith("_file")),
    )


def _client(given: TomlTable, folder: Path) -> ClientCredentials:
    certificate = read_secret(given, "certificate", folder)
    placeholders, key_id = given.get("placeholders"), given.get("key_id")
    return ClientCredentials(
        client_id=str(given["client_id"]),
        client_secret=read_secret(given, "client_secret", folder),
        previous_client_secret=read_secret(given, "previous_client_secret", folder),
        private_key=read_secret(given, "private_key", folder),
        key_id=str(key_id) if key_id else None,
        certificate=certificate.reveal() if certificate else None,
        certificate_key=read_secret(given, "certificate_key", folder),
        placeholders=dict(placeholders) if isinstance(placeholders, Mapping) else {},
    )


def checked_app(client: ClientCredentials, provider: Provider | None) -> ClientCredentials:
    """Returns what is stored of an app at `provider`; raises `InvalidApp` with a sentence a fault.

    Without a provider nothing is said of values and proofs: each request looks at them again.
    """
    proves = provider is not None and (provider.signs or provider.client_auth in CERTIFIED)
    if material_of(client) is None and not proves:
        return client
    from refresher.rules import app_checks  # noqa: PLC0415  dear, and rare

    if provider and (wrong := list(_value_faults(client, provider))):
        raise InvalidApp(*wrong)
    read = app_checks.checked(client)
    if provider and (lacking := list(app_checks.lacking(read, provider))):
        raise InvalidApp(*lacking)
    return read


def _value_faults(client: ClientCredentials, provider: Provider) -> Iterator[str]:
    known = {*provider.placeholders, *({HOST} if provider.host_pattern else ())}
    for name, value in client.placeholders.items():
        if name not in known:
            which = f"it has {', '.join(sorted(known))}" if known else "it has none"
            hint = did_you_mean(name, known)
            yield (
                f'placeholders has "{name[:64]}", which provider {provider.name} does not have'
                f"{hint}: {which}"
            )
        elif fault := app_value_fault(provider, name, value):
            yield fault
