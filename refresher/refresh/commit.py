"""Step 11 of the story: what arrived is stored, or held, or lies in the spool. It is never dropped.

Postgres away, or taking no writes (read-only, disk full, a permission gone): the settlements are held
and tried again, spooled meanwhile for the case that this process ends. One row that is refused holds
no other: it is stored without its details, or spooled and told. Which error is which is
`store/refusals.py`'s to say, and a wrong guess there costs nothing: who is held for long is tried
alone, and who is refused alone is kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Sequence
from uuid import UUID

import structlog

from refresher.errors import DatabaseNotMigrated, DatabaseRefusesWrites, DatabaseUnavailable
from refresher.refresh.recovery import park, save
from refresher.refresh.spool_entries import aged, without_details
from refresher.runtime.services import Services
from refresher.store.refusals import sentence
from refresher.store.session import retrying
from refresher.store.settlement import Settled, Settlement

log = structlog.get_logger()
Write = Callable[[Sequence[Settlement]], Settled]
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.05, 1.0
ALONE_AFTER_SECONDS = 5.0
"""How long all wait together before each is tried alone, and between two such rounds."""
TAKES_LONG = "PostgreSQL takes long to answer"
QUIET = frozenset({"refreshed", "postponed"})
_Away = (DatabaseUnavailable, DatabaseNotMigrated)


def commit(
    services: Services, settlements: Sequence[Settlement], write: Write, tally: Counter[str]
) -> None:
    """Has `write` store the settlements, all of them in one transaction if it can be.

    Returns when each is stored or spooled; raises nothing. While Postgres is away that is when it is
    back, or REFRESHER_COMMIT_SECONDS after this process was asked to stop.
    """
    hand = Hand(services, write, tally)
    hand.take(settlements)
    hand.empty()


class Hand:
    """Settlements in hand, and what of them lies in the spool already. `write` stores some.

    `take` and `try_again` never wait for a Postgres that is away: more replies may be on their way, and
    each must lie in the spool as soon as it has come. A try that hangs is looked at from outside
    (`Lookout`): what is in hand is spooled meanwhile, and what `coming` has of those not known yet.
    """

    def __init__(self, services: Services, write: Write, tally: Counter[str]) -> None:
        self._services = services
        self._write = write
        self._tally = tally
        self.coming: Callable[[Container[UUID]], Sequence[Settlement]] = lambda _known: ()
        self._left: list[Settlement] = []
        self._taken_at: dict[UUID, float] = {}
        self._entries: dict[UUID, str] = {}
        self._early: dict[UUID, Settlement] = {}
        self._wait = FIRST_WAIT_SECONDS
        self._try_at = 0.0
        self._leave_at: float | None = None
        self._alone_at = time.monotonic() + ALONE_AFTER_SECONDS
        self._why = ""

    def take(self, settlements: Sequence[Settlement]) -> None:
        """Stores what has come, or at least spools it."""
        now = time.monotonic()
        held = bool(self._left)
        # The very one that was spooled: its seal tells that it is stored already.
        self._left += (
            [self._early.pop(s.id, s) for s in settlements] if self._early else settlements
        )
        for s in settlements:
            self._taken_at.setdefault(s.id, now)
        if not held or now >= self._try_at:
            self.try_again()
        else:
            self._spool(self._why)

    def again_in_seconds(self) -> float | None:
        """Returns when it is time to try again; None when nothing is in hand."""
        return max(0.0, self._try_at - time.monotonic()) if self._left else None

    def try_again(self) -> None:
        """Tries once to store what is in hand."""
        if not self._left:
            return
        try:
            settled = self._try(self._left)
        except _Away as error:
            self._hold(error)
            self._left = self._sifted(error)
        except Exception:  # noqa: BLE001  whatever it is, what arrived is kept
            self._left = self._each()
        else:
            self._done(self._left, settled)
            self._left = []
        if self._left:
            self._try_at = time.monotonic() + self._wait
            self._wait = min(self._wait * 2, LONGEST_WAIT_SECONDS)

    def empty(self) -> None:
        """Returns when nothing is in hand any more: each is stored, or in the spool at the end."""
        while (wait := self.again_in_seconds()) is not None:
            if self._must_leave(wait):
                self._leave()
                return
            time.sleep(wait)
            self.try_again()

    def _try(self, settlements: Sequence[Settlement]) -> Settled:
        now = time.monotonic()
        held = [aged(s, now - self._taken_at[s.id]) for s in settlements]
        with self._services.lookout.over(self._held_up):
            return retrying(lambda: self._write(held))

    def _held_up(self) -> None:
        """Keeps what would be lost if we ended now; on the lookout's thread, while we try."""
        early = self.coming(self._early)
        now = time.monotonic()
        self._early.update((s.id, s) for s in early)
        self._taken_at.update((s.id, now) for s in early)
        self._spool(TAKES_LONG)

    def _hold(self, error: Exception) -> None:
        held, self._why = len(self._left), str(error)
        self._services.seldom.warning("holding replies: postgres is away", held=held, why=self._why)
        self._spool(self._why)

    def _spool(self, why: str) -> None:
        in_hand = [s for s in self._left if s.id in self._taken_at] + list(self._early.values())
        fresh = [s for s in in_hand if s.is_irreplaceable and s.id not in self._entries]
        if fresh:
            self._entries.update(save(self._services, fresh, why))

    def _must_leave(self, wait: float) -> bool:
        now, stopping = time.monotonic(), self._services.stopping.is_set()
        if stopping and self._leave_at is None:
            self._leave_at = now + self._services.settings.commit_seconds
        return self._leave_at is not None and now + wait > self._leave_at

    def _leave(self) -> None:
        self._spool(self._why)
        self._tally["spooled"] += len(self._entries)
        lost = [str(s.id) for s in self._left if s.is_irreplaceable and s.id not in self._entries]
        if lost:  # neither Postgres nor Redis nor the disk took them until the very end
            log.error("replies are lost: nothing takes them, and we must stop", connections=lost)

    def _sifted(self, error: Exception) -> list[Settlement]:
        """Tries each alone once in a while: what is taken for trouble of all may be one row's."""
        left = self._left
        refuses = isinstance(error, DatabaseRefusesWrites) and len(left) > 1
        if not refuses or time.monotonic() < self._alone_at:
            return left
        still = self._each()
        self._alone_at = time.monotonic() + ALONE_AFTER_SECONDS
        kept = {s.id for s in still}
        if not any(s.is_irreplaceable and s.id not in kept for s in left):
            return still
        return [s for s in still if not self._keep(s, error)]  # Postgres takes other replies

    def _each(self) -> list[Settlement]:
        """Stores each in a transaction of its own; returns those that must be held on."""
        held: list[Settlement] = []
        for s in self._left:
            try:
                settled = self._try([s])
            except _Away:
                held.append(s)
            except Exception as own:  # noqa: BLE001  it must not hold the others
                held += [] if self._alone(s, own) else [s]
            else:
                self._done([s], settled)
        return held

    def _alone(self, s: Settlement, error: Exception) -> bool:
        """Ends with a row that is refused for itself; False when it has to be held all the same."""
        try:
            settled = self._try([without_details(s)])
        except _Away:
            return False
        except Exception as own:  # noqa: BLE001  it is kept below
            return self._keep(s, own)
        self._services.seldom.error(
            "stored an outcome without its details", connection=str(s.id), why=sentence(error)
        )
        self._done([s], settled)
        return True

    def _keep(self, s: Settlement, error: Exception) -> bool:
        """Leaves in the spool what is irreplaceable, and tells of it; else nothing is to be kept."""
        services, why = self._services, sentence(error)
        services.seldom.error("cannot write an outcome", connection=str(s.id), why=why)
        self._tally["unwritable"] += 1
        if not s.is_irreplaceable:
            return True
        entry = save(services, [s], why).get(s.id) or self._entries.get(s.id)
        if entry is None:
            return False
        services.spool.rest(entry)
        self._forget([s], but=entry)
        park(services, s.id, s.row.claim.lease_token, why)
        self._tally["spooled"] += 1
        return True

    def _done(self, settlements: Sequence[Settlement], settled: Settled) -> None:
        self._forget(settlements)
        try:
            report(self._services, settlements, settled, self._tally)
        except Exception as error:  # noqa: BLE001  what is stored is stored, and others wait
            self._services.seldom.exception("cannot tell of what was stored", error)

    def _forget(self, settlements: Sequence[Settlement], *, but: str | None = None) -> None:
        for s in settlements:
            self._taken_at.pop(s.id, None)
        if self._entries:
            ours = [self._entries.pop(s.id) for s in settlements if s.id in self._entries]
            self._services.spool.remove([entry for entry in ours if entry != but])


def report(
    services: Services, settlements: Sequence[Settlement], settled: Settled, tally: Counter[str]
) -> None:
    """Tells what one commit wrote: into the log, the counters, and the batch's tally.

    Level info has a line for each batch (`actors.py`) and one for each row that was not simply
    refreshed; level debug has one for every row. At thousands a second a line each is too much.
    """
    usual = not (settled.adopted or settled.fenced)
    kinds = [s.kind if usual else _kind(s, settled) for s in settlements]
    tally.update(kinds)
    services.meter.committed(settlements, kinds, settled)
    is_chatty = services.settings.log_level == "debug"
    for s, kind in zip(settlements, kinds, strict=True):
        if kind not in QUIET:
            log.warning(kind, **_bound(s))
        elif is_chatty:
            log.debug(kind, **_bound(s))


def _kind(s: Settlement, settled: Settled) -> str:
    if s.id in settled.adopted:
        return "adopted"
    return "fenced" if s.id in settled.fenced else s.kind


def _bound(s: Settlement) -> dict[str, object]:
    """Returns what names a row and its attempt; nothing here is, or was made from, a secret."""
    values = {
        "connection": str(s.id),
        "provider": s.row.connection.provider,
        "lease_token": s.row.claim.lease_token,
        "credential_version": s.row.connection.credential_version,
        "attempt": s.attempt,
        "reason": s.reason or s.park_reason,
        "status": s.http_status,
        "elapsed_seconds": s.elapsed_seconds and round(s.elapsed_seconds, 3),
        "due_in_seconds": s.due_in_seconds and round(s.due_in_seconds, 1),
    }
    return {name: value for name, value in values.items() if value is not None}
