"""Notices that the database is older than what was seen of it: somebody has restored a backup.

An older database holds refresh tokens that have been presented since. A provider that rotates takes
the second presentation for theft and ends the grant; so nothing is claimed until a person confirms.
What was seen is a number outside the database, the newest event's, in Redis or beside the spool: it is
written every ten seconds, so what a restore took back of the last ten seconds goes unnoticed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from refresher.errors import DatabaseOlder
from refresher.store import installation
from refresher.store.session import Database
from refresher.store.spool import Spool

LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The number of the newest event now, and the highest one that was ever noted."""

    now: int
    noted: int

    @property
    def is_older(self) -> bool:
        """Whether the database has gone back."""
        return self.now < self.noted

    @property
    def sentence(self) -> str:
        """What is to be said of a database that has."""
        return (
            f"this database is older than it was: its newest event is {self.now:,}, and {self.noted:,} "
            "was seen. A restored backup holds refresh tokens that may be spent, so nothing is "
            "refreshed: read docs/backup.md, then `refresher restore-check --confirm`"
        )


class RestoreGuard:
    """Asks every ten seconds at most; safe to use from any thread. Off until a process `watch`es."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._spool = spool
        self._lock = threading.Lock()
        self._watching = False
        self._look_at = 0.0
        self._seen: Seen | None = None

    def watch(self) -> None:
        """Has `check` look: this process works on the installation's own database."""
        self._watching = True

    def look_again(self) -> None:
        """Has the next check look: the database was away, and may be another one now."""
        self._look_at = 0.0

    def check(self) -> None:
        """Raises `DatabaseOlder` where nothing may be claimed. Costs nothing between two looks."""
        if not self._watching:
            return
        with self._lock:
            if time.monotonic() >= self._look_at:
                self._seen = self.look(note=True)
                self._look_at = time.monotonic() + LOOK_SECONDS
            seen = self._seen
        if seen is not None and seen.is_older:
            raise DatabaseOlder(seen.sentence)

    def look(self, *, note: bool = False) -> Seen:
        """Compares now; with `note`, writes down what is newer than the mark."""
        with self._database.reading() as db:
            history = installation.history(db)
        noted = self._spool.mark(history.installation)
        if note and history.newest_event > noted:
            self._spool.put_mark(history.installation, history.newest_event)
        return Seen(history.newest_event, noted)

    def confirm(self) -> Seen:
        """Takes the database as it is for the true one: its events go on above every mark."""
        seen = self.look()
        with self._database.transaction() as db:
            installation.begin_above(db, max(seen.noted, seen.now))
        self.look_again()
        return self.look(note=True)
