"""Finds what was claimed and left behind, and makes it due again: the way back from `dispatch.py`.

A process died, stops, or lost the messages that it handed over. The rows tell which: a lease without
an outcome is swept, and nothing that somebody still works on is touched.
"""

from __future__ import annotations

from collections.abc import Collection
from time import monotonic
from uuid import UUID

import structlog

from refresher.errors import DatabaseUnavailable
from refresher.refresh.recovery import drain
from refresher.runtime import checkpoints
from refresher.runtime.liveness import Watch
from refresher.runtime.services import Services
from refresher.store import workers
from refresher.store.sweep import Swept, release_unbegun, sweep

log = structlog.get_logger()


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
        dead = watch.dead(holders, monotonic())
        swept = sweep(
            db,
            dead=dead,
            alive=holders.alive | (holders.missing - dead),
            attempt_timeout_seconds=settings.attempt_timeout_seconds,
            crash_limit=settings.crash_limit,
            spooled=spooled,
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


def release_own(services: Services) -> int:
    """Gives back what this process claimed and will not begin any more: it is stopping."""
    with services.database.transaction() as db:
        released = release_unbegun(db, holder_id=services.holder_id)
    services.claim_window.reopen()
    return released


def messages_lost(services: Services) -> int:
    """Makes rows due that were handed over and not begun: Redis lost its data."""
    with services.database.transaction() as db:
        released = release_unbegun(db)
    services.claim_window.reopen()
    if released:
        log.error("redis lost its data; dispatching again", rows=released)
    else:  # as at every first start
        log.info("redis holds nothing of ours yet, and nothing waited in it")
    return released
