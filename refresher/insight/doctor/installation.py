"""Checks what carries this installation's name: its spool, its neighbours in Redis, its backups."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from refresher.errors import RedisUnavailable
from refresher.insight.doctor import Finding, fail, ok, warn
from refresher.refresh import spool_entries
from refresher.runtime.neighbours import Neighbours
from refresher.runtime.restored import RestoreGuard
from refresher.settings import Settings
from refresher.store import installation
from refresher.store.session import Database
from refresher.store.spool import Spool

APART = 'see docs/databases.md, "Two installations on one Redis"'


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on the spool and on neighbours."""
    with database.transaction() as db:
        name, place = installation.name(db), installation.place(db)
    yield from check_spool(settings, name)
    yield from _neighbours(settings, name, place)
    yield from _backup(settings, database)


def _neighbours(settings: Settings, name: UUID, place: str) -> Iterator[Finding]:
    if settings.redis_url is None:
        return
    try:
        met = Neighbours(settings, name, place).met()
    except RedisUnavailable:
        return  # told by the check of Redis, where it matters
    for one in met:
        yield (fail if one.is_copy else warn)("neighbours", one.sentence, APART)
    if not met:
        yield ok("neighbours", f"no other installation uses this Redis; ours is {name.hex[:12]}")


def check_spool(settings: Settings, name: UUID | None) -> Iterator[Finding]:
    """Yields one finding; this machine's file and Redis are all that can be looked at from here.

    Without the name of the installation, which is in the database, everybody's entries in Redis count.
    """
    spool = Spool(settings)
    if name is not None:
        spool.named(name)
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


def _backup(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields one finding, by the marks that this machine and Redis have."""
    seen = RestoreGuard(database, Spool(settings)).look()
    if seen.is_older:
        message, _, mend = seen.sentence.partition(": read ")
        yield fail("backup", message, f"read {mend}")
    else:
        yield ok("backup", "the database is as new as what was seen of it")
