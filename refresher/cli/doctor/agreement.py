"""Checks that the processes that run have the keys and the settings of this terminal.

What `doctor` says of settings holds for the terminal in which it runs: here it says whether that tells
anything about those who do the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refresher.cli.doctor.finding import Finding, fail, ok, warn
from refresher.errors import SettingsError
from refresher.rules.installation import Agreement, compare
from refresher.runtime.services import cipher_from
from refresher.settings import Settings
from refresher.settings.shared import differing, digests
from refresher.store import workers
from refresher.store.session import Database
from refresher.store.workers import LivingProcess

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


def check(settings: Settings, processes: Sequence[LivingProcess]) -> Iterator[Finding]:
    """Yields findings on keys and settings; nothing where no process tells its own."""
    try:
        ours = cipher_from(settings).key_ids
    except SettingsError:
        ours = []
    said = [*_keys(processes, ours), *_settings(settings, processes)]
    yield from dict.fromkeys(said)
    if processes and not said:
        yield ok("agreement", "what runs has the keys and settings of this terminal")


def _keys(processes: Sequence[LivingProcess], ours: Sequence[str]) -> Iterator[Finding]:
    here = f"this terminal with {ours[0]}" if ours else "this terminal has none"
    for process in processes:
        theirs = process.runs_with.keys
        agreement = compare(theirs, ours)
        if agreement is Agreement.SAME:
            continue
        seals = f"the {process.role} on {process.host} runs with key {theirs[0]}, {here}"
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


def _settings(settings: Settings, processes: Sequence[LivingProcess]) -> Iterator[Finding]:
    names = sorted(foreign_settings(settings, processes))
    if names:
        shown = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
        message = f"what runs has other values than this terminal of {shown}"
        yield warn("agreement", message, f"what is said of these holds here alone: {TAKE_OVER}")
