"""Waits for leases that other processes hold: one statement for all that this process waits for.

Postgres tells nobody that a row has changed, so one thread looks, 20 times a second, only while
somebody waits. However many callers wait, no connection of the pool is held by waiting.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from uuid import UUID

from refresher.errors import DatabaseUnavailable
from refresher.runtime.services import Services
from refresher.store import serving
from refresher.store.session import DatabaseError

LOOK_AGAIN_SECONDS = 0.05
Lease = tuple[UUID, int]


class LeaseWatch:
    """The leases of others that somebody here waits for."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._waited: dict[Lease, tuple[Future[None], float]] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def ended(self, root_id: UUID, lease_token: int, until: float) -> Future[None]:
        """Returns what is done when this lease has ended, or at the last `until` that was given."""
        lease = (root_id, lease_token)
        with self._lock:
            future, before = self._waited.get(lease, (Future[None](), until))
            self._waited[lease] = (future, max(before, until))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="leases", daemon=True)
                self._thread.start()
        return future

    def close(self) -> None:
        """Lets everybody look for himself once more, and ends the thread."""
        self._closed.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        while self._look():
            self._closed.wait(LOOK_AGAIN_SECONDS)

    def _look(self) -> bool:
        """Tells those whose lease has ended; returns whether anybody is still waiting."""
        with self._lock:
            waited = dict(self._waited)
        held = set(waited)
        with suppress(DatabaseUnavailable, DatabaseError):  # who waits gives up by himself
            held = self._held({root for root, _ in waited})
        now = time.monotonic()
        over = [
            lease
            for lease, (_, until) in waited.items()
            if lease not in held or now > until or self._closed.is_set()
        ]
        with self._lock:
            futures = [self._waited.pop(lease)[0] for lease in over]
            again = bool(self._waited)
            if not again:
                self._thread = None
        for future in futures:
            future.set_result(None)
        return again

    def _held(self, roots: set[UUID]) -> set[Lease]:
        with self._services.database.reading() as db:
            return serving.leases(db, roots)
