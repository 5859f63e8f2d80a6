"""The refreshes that somebody here waits for: ours, one at a time for each row, and other processes'.

Whoever asks meanwhile shares its future. A refresh ends whether or not anybody still waits: cutting it
off could lose a rotated token.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from refresher.errors import DatabaseUnavailable
from refresher.outbound.turns import FairQueue, Parties
from refresher.refresh.batched_reads import ended
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.rules.served import RefreshResult
from refresher.runtime.liveness import Heartbeat
from refresher.runtime.services import Services
from refresher.store import events, schedule, serving
from refresher.store.pool import DatabaseError

LOOK_AGAIN_SECONDS = 0.05
Lease = tuple[UUID, int]


def claim_now(services: Services, connection_id: UUID, *, seen: int | None = None) -> Claim | None:
    """Claims one connection's row, due or not; None when it is leased or parked.

    With `seen`, also None when its lease token is another one by now. Raises `DatabaseOlder`.
    """
    services.restored.check()
    with services.database.transaction() as db:
        claims = schedule.claim_these(
            db,
            [connection_id],
            lease_seconds=services.settings.lease_seconds,
            holder_id=services.holder_id,
            seen=seen,
        )
    return claims[0] if claims else None


@dataclass(frozen=True, slots=True)
class _Wanted:
    root_id: UUID
    lease_token: int
    future: Future[RefreshResult | None]


class Flights:
    """Refreshes under way, by row; each in a thread, which is started when it is needed.

    As many as the exchange sends at once; one organization, or one provider, that hangs does not have
    all of them (`outbound/turns.py`).
    """

    def __init__(self, services: Services, role: str | None) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._flying: dict[UUID, Future[RefreshResult | None]] = {}
        self._line: FairQueue[_Wanted] = FairQueue(services.settings.max_in_flight)
        self._threads = ThreadPoolExecutor(services.settings.max_in_flight, "on-demand")
        self._closed = False
        self._role = role
        self._beating = threading.Lock()
        self._heartbeat: Heartbeat | None = None

    @property
    def busy(self) -> bool:
        """Whether any is under way."""
        return bool(self._flying)

    def flying(self, root_id: UUID) -> Future[RefreshResult | None] | None:
        """Returns our own refresh of this row, if one is under way."""
        return self._flying.get(root_id)

    def fly(self, root_id: UUID, lease_token: int, whose: Parties) -> Future[RefreshResult | None]:
        """Returns the refresh of this row that is under way, or that begins when there is a place."""
        with self._lock:
            future = self._flying.get(root_id)
            if future is None:
                if self._closed:
                    raise RuntimeError("no refresh begins any more: this is closed")
                future = self._flying[root_id] = Future()
                self._line.add(whose, _Wanted(root_id, lease_token, future))
                self._begin()
        return future

    def close(self) -> None:
        """Waits for what is under way; a reply that Postgres cannot take is spooled soon."""
        self._services.ask_to_stop()
        with self._lock:
            self._closed = True
            for wanted in self._line.drain():
                self._flying.pop(wanted.root_id, None)
                wanted.future.cancel()
        self._threads.shutdown()
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _begin(self) -> None:
        """Begins what has a place now; called with the lock."""
        while (taken := self._line.take()) is not None:
            self._threads.submit(self._run, *taken)

    def _run(self, whose: Parties, wanted: _Wanted) -> None:
        future = wanted.future
        try:
            ending = self._refresh(wanted.root_id, wanted.lease_token)
        except BaseException as error:  # noqa: BLE001  it is told to all who wait
            self._land(whose, wanted)
            future.set_exception(error)
        else:
            self._land(whose, wanted)
            future.set_result(ending)

    def _land(self, whose: Parties, wanted: _Wanted) -> None:
        with self._lock:
            self._flying.pop(wanted.root_id, None)
            self._line.done(whose)
            self._begin()

    def _refresh(self, root_id: UUID, lease_token: int) -> RefreshResult | None:
        self._be_alive()
        claim = claim_now(self._services, root_id, seen=lease_token)
        return self._fly(claim) if claim else None

    def _fly(self, claim: Claim) -> RefreshResult:
        try:
            tally = refresh(self._services, [claim])
        except Exception:
            self._give_back(claim)
            raise
        if tally["spooled"]:
            raise DatabaseUnavailable(
                "PostgreSQL does not take the fresh token at the moment; it is kept, sealed, and "
                "stored as soon as PostgreSQL takes it"
            )
        with self._services.database.reading() as db:
            event = events.outcome(db, claim.connection_id, claim.lease_token)
        kind = next((kind for kind, count in tally.items() if count), "stale")
        return ended(event, by_us=True) or RefreshResult(kind, by_us=True)

    def _give_back(self, claim: Claim) -> None:
        """Releases a claim that was not begun, so that it need not wait for the lease's end."""
        with suppress(Exception), self._services.database.transaction() as db:
            schedule.release(db, [claim])

    def _be_alive(self) -> None:
        """Holds a heartbeat from the first refresh on, if the process has none of its own."""
        if self._role is None or self._heartbeat is not None:
            return
        with self._beating:
            if self._heartbeat is None:
                heartbeat = Heartbeat(self._services, self._role)
                heartbeat.start()
                self._heartbeat = heartbeat


class LeaseWatch:
    """The leases of other processes that somebody here waits for: one statement for all of them.

    Postgres tells nobody that a row has changed, so one thread looks, 20 times a second, only while
    somebody waits. However many callers wait, no connection of the pool is held by waiting.
    """

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
