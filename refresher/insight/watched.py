"""What many who watch ask for again and again, looked up for all of them together.

However many pages are open, there is one statement a second of a kind, not one for each page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar
from uuid import UUID

from refresher.store import standing
from refresher.store.session import Database
from refresher.store.standing import Version

T = TypeVar("T", bound=Hashable)
LATELY_SECONDS = 10.0
"""Who watches asks every five seconds."""
MOST_TOGETHER = 200
KEPT_SECONDS = 1.0


class Lately(Generic[T]):
    """What was asked for in the last ten seconds. Safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at: OrderedDict[T, float] = OrderedDict()

    def note(self, one: T) -> None:
        """Notes that somebody asks for it."""
        with self._lock:
            self._asked_at[one] = time.monotonic()
            self._asked_at.move_to_end(one)
            if len(self._asked_at) > MOST_TOGETHER:
                self._asked_at.popitem(last=False)

    def along(self, one: T) -> list[T]:
        """Returns it, and what else is asked for."""
        since = time.monotonic() - LATELY_SECONDS
        with self._lock:
            others = [other for other, at in self._asked_at.items() if at > since]
        return [one, *(other for other in others if other != one)]


class Versions:
    """The versions of connections that pages are open of. Safe to use from every thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched = Lately[UUID]()
        self._known: tuple[float, dict[UUID, Version]] = (0.0, {})

    def of(self, connection_id: UUID) -> Version | None:
        """Returns its version of at most a second ago; None where there is no such connection."""
        self._watched.note(connection_id)
        (looked_at, known), began = self._known, time.monotonic()
        if connection_id in known and began - looked_at < KEPT_SECONDS:
            return known[connection_id]
        with self._database.reading() as db:
            found = standing.versions(db, self._watched.along(connection_id))
        known = {one.id: one for one in found}
        self._known = began, known
        return known.get(connection_id)
