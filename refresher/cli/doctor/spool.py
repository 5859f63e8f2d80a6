"""Checks the spool: whether replies wait there because Postgres does not take them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from refresher.cli.doctor.finding import Finding, fail, ok
from refresher.refresh import spool_entries
from refresher.settings import Settings
from refresher.store.spool import Spool


def check(settings: Settings, installation: UUID | None) -> Iterator[Finding]:
    """Yields one finding; this machine's file and Redis are all that can be looked at from here.

    Without the name of the installation, which is in the database, everybody's entries in Redis count.
    """
    spool = Spool(settings)
    if installation is not None:
        spool.named(installation)
    entries, apart = spool.entries(), spool.aside()
    if not entries and not apart:
        yield ok("spool", "no token pair and no answer waits for PostgreSQL to take it")
        return
    answers = sum(map(spool_entries.is_answer, entries))
    pairs = len(entries) + len(apart) - answers
    unread = f", and answers that were not read: {answers:,}" if answers else ""
    why = (
        str(spool_entries.read(entries[0]).get("why", "PostgreSQL was away"))
        if entries
        else "unreadable"
    )
    yield fail(
        "spool",
        f"token pairs that PostgreSQL does not take, kept sealed: {pairs:,}{unread} (the first: {why})",
        "mend that, and they are stored by themselves; `refresher spool list` shows them all",
    )
