"""Tells whether this process lives, and which others do not any more.

Each process holds a session-level advisory lock on a connection of its own, kept by a thread. The
lock ends with the process: its leased rows are due again within two seconds, inside the grace in which
providers accept the same refresh token again, instead of after the lease. A frozen process keeps its
lock, so its rows wait. Without the lock (a pooler in transaction mode) only leases count.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from uuid import UUID

import structlog

from refresher.errors import DatabaseUnavailable
from refresher.runtime.services import Services
from refresher.settings.shared import digests
from refresher.store import installation, workers
from refresher.store.pool import DatabaseError
from refresher.store.refusals import Nature, nature_of
from refresher.store.session import Db
from refresher.store.workers import Holders, RunsWith

log = structlog.get_logger()
CHECK_SECONDS = 0.5
SEEN_SECONDS = 10.0


class Heartbeat:
    """The thread that registers this process and holds its lock, again after each interruption."""

    def __init__(self, services: Services, role: str) -> None:
        self._services = services
        self._role = role
        self._stop = threading.Event()
        self._held = threading.Event()
        self.failing: Callable[[], Mapping[str, str]] = dict
        """The jobs of this process that fail again and again, with the reason; set by who knows."""
        self.answered_at = float("-inf")
        """When Postgres last took what this thread wrote, by the monotonic clock."""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self, *, wait_seconds: float = 10.0) -> None:
        """Starts the thread and waits for the lock, so that no lease precedes it."""
        self._thread.start()
        if not self._held.wait(wait_seconds):
            log.warning("not registered yet: postgres does not answer")

    @property
    def healthy(self) -> bool:
        """Whether the process is registered, and its lock held, at this moment."""
        return self._held.is_set()

    def stop(self) -> None:
        """Ends the session, and notes the clean stop."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._hold()
            except (DatabaseError, DatabaseUnavailable) as error:
                self._services.seldom.warning("lost the liveness lock", why=type(error).__name__)
            self._held.clear()
            self._stop.wait(CHECK_SECONDS)

    def _hold(self) -> None:
        services = self._services
        if not services.settings.liveness_lock:
            self._show_life()
            return
        with services.database.session(waits=True) as db:
            me, key = services.holder_id, self._register(db)
            # The session before this one may linger on the server: after a lost network, for hours.
            while not workers.take_lock(db, key):
                workers.end_former_session(db, key)
                if self._stop.wait(CHECK_SECONDS):
                    return
            self._held.set()
            while not self._stop.wait(CHECK_SECONDS):
                self._seen(db)
            workers.stopped(db, me)

    def _seen(self, db: Db) -> None:
        """Gives a sign of life. Session and lock outlast a database that takes no writes."""
        try:
            workers.seen(
                db,
                self._services.holder_id,
                every_seconds=SEEN_SECONDS,
                failing=self.failing(),
            )
        except DatabaseError as error:
            if nature_of(error) is not Nature.NO_WRITES:
                raise
            self._services.seldom.warning("no sign of life: postgres takes no writes")
        else:
            self.answered_at = time.monotonic()

    def _show_life(self) -> None:
        """Does the same without a lock, and without a session of its own: a pooler may share them."""
        database, me = self._services.database, self._services.holder_id
        with database.transaction() as db:
            self._register(db)
        self._held.set()
        while not self._stop.wait(SEEN_SECONDS / 2):
            with database.transaction() as db:
                self._seen(db)
        with database.transaction() as db:
            workers.stopped(db, me)

    def _register(self, db: Db) -> int:
        self._services.spool.named(installation.name(db))
        host, pid = socket.gethostname(), os.getpid()
        keys, settings = self._services.cipher.key_ids, digests(self._services.settings)
        return workers.register(
            db,
            self._services.holder_id,
            role=self._role,
            host=host,
            process_id=pid,
            runs_with=RunsWith(keys, settings),
        )


class Watch:
    """Remembers since when a process's lock is missing.

    A lock that is gone may come back: its session was ended, not its process. So a process is held for
    dead when its lock was missing at two looks at least `patience_seconds` apart.
    """

    def __init__(self, *, patience_seconds: float = 1.0) -> None:
        self._patience = patience_seconds
        self._missing_since: dict[UUID, float] = {}

    def forget(self) -> None:
        """Begins anew: while nothing could be done, missing locks meant nothing."""
        self._missing_since = {}

    def dead(self, holders: Holders, now: float) -> frozenset[UUID]:
        """Returns who is dead by now, given the latest look."""
        self._missing_since = {
            holder: self._missing_since.get(holder, now) for holder in holders.missing
        }
        return frozenset(
            holder for holder, since in self._missing_since.items() if now - since >= self._patience
        )
