"""Puts right what an outage or a death left: the spool is stored, what was claimed is due again.

A rotated refresh token exists nowhere but in the reply, even in one that nobody could read. So what
cannot be stored at once is spooled, sealed, while its process goes on trying (`commit.py`), for
the case that it ends first; and every scheduler empties the spool before it sweeps, or the sweep would
present a refresh token that is spent. What cannot be stored stays in the spool, is tried again with
growing patience, and keeps its connection from being presented meanwhile.

A process died, stops, or lost the messages that it handed over. The rows tell which: a lease without
an outcome is swept, and nothing that somebody still works on is touched.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from refresher.errors import DatabaseNotMigrated, DatabaseRefusesWrites, DatabaseUnavailable
from refresher.refresh import spool_entries
from refresher.runtime import checkpoints
from refresher.runtime.liveness import Watch
from refresher.runtime.services import Services
from refresher.store import quarantine, registration, workers
from refresher.store.answers import AnswersNotKept
from refresher.store.pool import DatabaseError
from refresher.store.refusals import sentence
from refresher.store.settlement import Settlement, settle
from refresher.store.sweep import Swept, release_unbegun, sweep

log = structlog.get_logger()
DRAIN_SECONDS = 2.0
"""How long a sweep may be held up by entries that Postgres refuses; the rest has its turn later."""


def save(services: Services, settlements: Sequence[Settlement], why: str) -> dict[UUID, str]:
    """Spools the irreplaceable settlements; returns the entries. The others are swept later.

    Returns nothing when neither Redis nor the disk takes them.
    """
    entries = {s.id: spool_entries.to_text(s, why) for s in settlements if s.is_irreplaceable}
    if not entries:
        return {}
    try:
        where = services.spool.put(list(entries.values()))
    except OSError as error:
        services.seldom.error("the spool takes nothing", replies=len(entries), why=error.strerror)
        return {}
    services.seldom.warning("spooled replies", replies=len(entries), where=where, why=why)
    return entries


@dataclass(frozen=True, slots=True)
class Drained:
    """How many entries were stored, and whose still lie in the spool: nobody presents their tokens."""

    stored: int
    kept: frozenset[UUID]


def drain(services: Services) -> Drained:
    """Writes what is spooled to Postgres, under the usual fences.

    Raises `DatabaseUnavailable` when it is away altogether. An entry that it refuses has its next try
    later, and holds no other.
    """
    entries = services.spool.entries()
    give_up_at = time.monotonic() + DRAIN_SECONDS
    stored: list[str] = []
    for entry in entries:
        if time.monotonic() > give_up_at:
            break
        if services.spool.rests(entry):
            continue
        if store_entry(services, entry) is None:
            stored.append(entry)
    services.spool.remove(stored)
    if stored:
        log.warning("stored spooled replies", replies=len(stored))
    return Drained(len(stored), whose(set(entries) - set(stored)))


def whose(entries: Iterable[str]) -> frozenset[UUID]:
    """Returns the connections whose replies these entries have."""
    return frozenset(
        id_ for entry in entries if (id_ := spool_entries.connection_of(entry)) is not None
    )


def store_entry(services: Services, entry: str) -> str | None:
    """Stores one entry; returns why not, in a sentence, when Postgres refuses it for itself."""
    try:
        try:
            _store(services, entry)
        except (DatabaseError, UnicodeEncodeError, AnswersNotKept):
            _store(services, entry, details=False)
    except (DatabaseNotMigrated, DatabaseRefusesWrites) as error:
        services.spool.rest(entry)
        return str(error)
    except DatabaseUnavailable:
        raise
    except spool_entries.Foreign as error:
        services.spool.rest(entry)
        services.seldom.warning("a spooled reply is left where it is", why=str(error))
        return str(error)
    except spool_entries.NotWhole as error:
        return _broken(services, entry, error)
    except Exception as error:  # noqa: BLE001  whatever it is, the entry is kept and no other waits
        return _refused(services, entry, sentence(error))
    return None


def _store(services: Services, entry: str, *, details: bool = True) -> None:
    with services.database.transaction() as db:
        made = spool_entries.settlement(entry, registration.database_now(db))
        if not quarantine.is_known(db, made.id):
            raise spool_entries.Foreign(f"connection {made.id} is not of this installation")
        told = made if details else spool_entries.without_details(made)
        settled = settle(db, [told], lead_share=services.policy.lead_share)
    if settled.fenced:
        log.warning("a spooled token pair was late: it is in quarantine", connection=str(made.id))


def _broken(services: Services, entry: str, error: Exception) -> str:
    """Sets aside what no version of ours wrote whole; one that names its connection stays."""
    why = f"it cannot be read ({error})"
    if spool_entries.connection_of(entry) is not None:
        services.spool.rest(entry)
    else:
        services.spool.set_aside(entry)
    services.seldom.error("an entry of the spool cannot be read", why=why)
    return why


def _refused(services: Services, entry: str, why: str) -> str:
    services.spool.rest(entry)
    e = spool_entries.read(entry)
    park(services, UUID(str(e["connection_id"])), int(str(e["lease_token"])), why)
    services.seldom.error("postgres refuses a spooled reply", why=why)
    return why


def give_up(services: Services, entries: Sequence[str]) -> None:
    """Forgets entries for good; the rows that were parked for them are due again."""
    with services.database.transaction() as db:
        quarantine.give_up_unstored(db, sorted(whose(entries)))
    services.spool.remove(entries)
    log.warning("spooled replies were dropped", replies=len(entries))


def park(services: Services, connection_id: UUID, lease_token: int, why: str) -> None:
    """Takes the row out of the schedule until its reply is stored, and tells why, where that works."""
    try:
        with services.database.transaction() as db:
            quarantine.park_unstored(db, connection_id, lease_token, why)
    except Exception as error:  # noqa: BLE001  its entry keeps it from being presented, too
        services.seldom.error("cannot note that a reply is not stored", why=sentence(error))


def sweep_stalled(services: Services, watch: Watch) -> Swept:
    """Makes rows due again whose lease ended, or whose holder died, without an outcome.

    Rows whose pair lies in the spool are left alone: their stored refresh token is spent.
    """
    try:
        return _sweep(services, watch, drain(services).kept)
    except DatabaseUnavailable:
        # Locks that were lost meanwhile are taken again: nobody is dead before two looks from now on.
        watch.forget()
        raise


def _sweep(services: Services, watch: Watch, spooled: Collection[UUID]) -> Swept:
    settings = services.settings
    with services.database.transaction() as db:
        holders = workers.holders(db) if settings.liveness_lock else workers.NOBODY
        dead = watch.dead(holders, time.monotonic())
        swept = sweep(
            db,
            dead=dead,
            alive=holders.alive | (holders.missing - dead),
            attempt_timeout_seconds=settings.attempt_timeout_seconds,
            crash_limit=settings.crash_limit,
            spooled=spooled,
            never_again=lambda name: _never_again(services, name),
        )
        checkpoints.reach("sweeping")
        if dead:
            # Messages that a dead worker had fetched are gone with it.
            released = release_unbegun(db)
            for holder in dead:
                workers.bury(db, holder)
            log.warning("a process died", dead=len(dead), released=released)
    services.meter.swept(swept, len(dead))
    if swept.total or dead:
        services.claim_window.reopen()
    if swept.total:
        log.warning("swept", unbegun=swept.unbegun, unknown=swept.unknown, crash_loops=swept.parked)
    return swept


def _never_again(services: Services, provider: str) -> bool:
    entry = services.catalogue.get(provider)
    return entry is not None and entry.retry == "never"


def release_own(services: Services) -> int:
    """Gives back what this process claimed and will not begin any more: it is stopping."""
    with services.database.transaction() as db:
        released = release_unbegun(db, holder_id=services.holder_id)
    services.claim_window.reopen()
    return released


def messages_lost(services: Services) -> int:
    """Makes rows due that were handed over and not begun: the broker lost its data."""
    with services.database.transaction() as db:
        released = release_unbegun(db)
    services.claim_window.reopen()
    if released:
        log.error("the broker lost its data; dispatching again", rows=released)
    else:  # as at every first start
        log.info("the broker holds nothing of ours yet, and nothing waited in it")
    return released
