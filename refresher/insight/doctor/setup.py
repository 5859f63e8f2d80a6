"""Checks what is set up: settings, keys and providers here, and whether what runs has the same.

What `doctor` says of settings holds for the terminal in which it runs: the check of agreement says
whether that tells anything about those who do the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from refresher import catalogue
from refresher.errors import CatalogueError, SettingsError
from refresher.insight.doctor import Finding, fail, ok, warn
from refresher.rules.installation import Agreement, compare
from refresher.rules.reasons import page_of
from refresher.rules.words import many
from refresher.runtime.cipher import cipher_from, is_open_to_others
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings, variable
from refresher.settings.shared import differing, digests
from refresher.store import workers
from refresher.store.session import Database
from refresher.store.workers import LivingProcess

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
    loaded.providers  # noqa: B018  reads each
    mend = "mend it, and what waits for it goes on by itself; `refresher providers check` tries it"
    for broken in loaded.broken:
        yield fail("providers", broken.why, mend, page_of("providers"))
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
        yield warn(
            "providers", message, "read them: `refresher providers check`", page_of("providers")
        )
        return
    yield ok("providers", f"{len(loaded)} are known, {len(own)} of them from your file")


def _first_part(error: SettingsError) -> str:
    return str(error).split(": `", maxsplit=1)[0]


ROLES = ("scheduler", "worker", "web")
MOST_NAMED = 8
TAKE_OVER = (
    "give both the same environment (`refresher up` writes its own into the file env of its data "
    "directory)"
)


def running(database: Database) -> list[LivingProcess]:
    """Returns what the long-running processes run with."""
    with database.transaction() as db:
        return [process for process in workers.told(db) if process.role in ROLES]


def foreign_settings(settings: Settings, processes: Sequence[LivingProcess]) -> set[str]:
    """Returns the variables that have another value where the work is done than here."""
    ours = digests(settings)
    doing = [process for process in processes if process.role != "web"]
    return {name for p in doing for name in differing(p.runs_with.settings, ours)}


def check_agreement(
    settings: Settings, processes: Sequence[LivingProcess], here: str = "this terminal"
) -> Iterator[Finding]:
    """Yields findings on keys and settings; nothing where no process tells its own."""
    try:
        ours = cipher_from(settings).key_ids
    except SettingsError:
        ours = []
    said = [*_keys_agree(processes, ours, here), *_settings_agree(settings, processes, here)]
    yield from dict.fromkeys(said)
    if processes and not said:
        yield ok("agreement", f"what runs has the keys and settings of {here}")


def _keys_agree(
    processes: Sequence[LivingProcess], ours: Sequence[str], here: str
) -> Iterator[Finding]:
    own = f"{here} with {ours[0]}" if ours else f"{here} has none"
    for process in processes:
        theirs = process.runs_with.keys
        agreement = compare(theirs, ours)
        if agreement is Agreement.SAME:
            continue
        seals = f"the {process.role} on {process.host} runs with key {theirs[0]}, {own}"
        if agreement is Agreement.OTHER_SEALS:
            yield warn("agreement", f"{seals}: both are known to both", "put the new one first")
        else:
            closed = "here" if agreement is Agreement.CLOSED_HERE else "there"
            sealer = "that" if agreement is Agreement.CLOSED_HERE else "this"
            yield fail(
                "agreement",
                f"{seals}: what {sealer} one seals cannot be opened {closed}",
                TAKE_OVER,
            )


def _settings_agree(
    settings: Settings, processes: Sequence[LivingProcess], here: str
) -> Iterator[Finding]:
    names = sorted(foreign_settings(settings, processes))
    if names:
        shown = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
        message = f"what runs has other values than {here} of {shown}"
        yield warn("agreement", message, f"what is said of these holds here alone: {TAKE_OVER}")
