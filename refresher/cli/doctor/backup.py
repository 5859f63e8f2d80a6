"""Checks whether the database is a restored backup, from which nothing is refreshed."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.cli.doctor.finding import Finding, fail, ok
from refresher.runtime.restored import RestoreGuard
from refresher.settings import Settings
from refresher.store.session import Database
from refresher.store.spool import Spool


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields one finding, by the marks that this machine and Redis have."""
    seen = RestoreGuard(database, Spool(settings)).look()
    if seen.is_older:
        message, _, mend = seen.sentence.partition(": read ")
        yield fail("backup", message, f"read {mend}")
    else:
        yield ok("backup", "the database is as new as what was seen of it")
