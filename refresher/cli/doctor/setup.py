"""Checks what can be known without any server: settings, keys, providers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from refresher import catalogue
from refresher.cli.doctor.finding import Finding, fail, ok, warn
from refresher.cli.output import many
from refresher.errors import CatalogueError, SettingsError
from refresher.runtime.cipher import is_open_to_others
from refresher.runtime.services import catalogue_from, cipher_from
from refresher.settings import Settings, variable

NEW_KEY = "`refresher encryption new-key` prints a good one"


def check(settings: Settings) -> Iterator[Finding]:
    """Yields findings on settings, encryption keys and the providers file."""
    yield ok("settings", "every setting is valid, and none contradicts another")
    if not settings.integration_refresh.enabled:
        name = variable("integration_refresh.enabled")
        yield warn("settings", f"{name} is false, so nothing is refreshed", f"set {name} to true")
    yield _keys(settings)
    yield from _providers(settings)


def _keys(settings: Settings) -> Finding:
    try:
        ids = cipher_from(settings).key_ids
    except SettingsError as error:
        return fail("keys", _first_part(error), f"set REFRESHER_ENCRYPTION_KEYS; {NEW_KEY}")
    file = settings.encryption_keys_file
    if file is not None and is_open_to_others(file):
        message = f"key {ids[0]} seals, but {file} can be read or changed by others"
        return warn("keys", message, f"chmod 600 {file}")
    older = f", {len(ids) - 1} more for what was sealed before" if len(ids) > 1 else ""
    return ok("keys", f"key {ids[0]} seals{older}")


def _providers(settings: Settings) -> Iterator[Finding]:
    try:
        loaded = catalogue_from(settings)
    except CatalogueError as error:
        file = (
            f"mend {settings.providers_file}" if settings.providers_file else "reinstall refresher"
        )
        yield fail("providers", str(error), f"{file}; `refresher providers check` tries it")
        return
    for one in loaded.unusable:
        yield warn(
            "providers",
            f"[{one.table}] of the providers file is not used here: {one.why}",
            "give it to every process, or store the app with `refresher apps set`",
        )
    own = [name for name in loaded.names if loaded.origin(name) == "file"]
    remarks = catalogue.check(loaded, datetime.now(UTC).date(), own) if own else []
    if remarks:
        remarks_ = many(len(remarks), "remark")
        message = f"{len(loaded)} are known, with {remarks_} on those of your file"
        yield warn("providers", message, "read them: `refresher providers check`")
        return
    yield ok("providers", f"{len(loaded)} are known, {len(own)} of them from your file")


def _first_part(error: SettingsError) -> str:
    return str(error).split(": `", maxsplit=1)[0]
