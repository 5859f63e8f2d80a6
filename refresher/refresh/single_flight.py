"""The refreshes that this process does because somebody asked: one at a time for each row.

Whoever asks meanwhile shares its future. A refresh ends whether or not anybody still waits: cutting it
off could lose a rotated token.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from refresher.errors import DatabaseUnavailable
from refresher.outbound.turns import FairQueue, Parties
from refresher.refresh.batched_reads import ended
from refresher.refresh.dispatch import claim_now
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.rules.serving import RefreshResult
from refresher.runtime.liveness import Heartbeat
from refresher.runtime.services import Services
from refresher.store import lookup, schedule


@dataclass(frozen=True, slots=True)
class _Wish:
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
        self._line: FairQueue[_Wish] = FairQueue(services.settings.max_in_flight)
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
                self._line.add(whose, _Wish(root_id, lease_token, future))
                self._begin()
        return future

    def close(self) -> None:
        """Waits for what is under way; a reply that Postgres cannot take is spooled soon."""
        self._services.ask_to_stop()
        with self._lock:
            self._closed = True
            for wish in self._line.drain():
                self._flying.pop(wish.root_id, None)
                wish.future.cancel()
        self._threads.shutdown()
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _begin(self) -> None:
        """Begins what has a place now; called with the lock."""
        while (taken := self._line.take()) is not None:
            self._threads.submit(self._run, *taken)

    def _run(self, whose: Parties, wish: _Wish) -> None:
        future = wish.future
        try:
            ending = self._refresh(wish.root_id, wish.lease_token)
        except BaseException as error:  # noqa: BLE001  it is told to all who wait
            self._land(whose, wish)
            future.set_exception(error)
        else:
            self._land(whose, wish)
            future.set_result(ending)

    def _land(self, whose: Parties, wish: _Wish) -> None:
        with self._lock:
            self._flying.pop(wish.root_id, None)
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
            event = lookup.outcome(db, claim.connection_id, claim.lease_token)
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
