"""Keeps the events' table in shape: a partition for each day ahead, none that is too old.

The scheduler's tidy job calls `keep_events`. Each change is a transaction of its own; what cannot be
done now (a lock that is taken, a role that may not) is told and tried again, and holds nobody up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from refresher.errors import RefresherError
from refresher.runtime.services import Services
from refresher.store import answers, partitions
from refresher.store.pool import DatabaseError

log = structlog.get_logger()


def keep_events(services: Services) -> None:
    """Makes the coming days, and drops those that ended before the retention began."""
    with services.database.transaction() as db:
        now = partitions.now(db)
        days = partitions.missing(db, now)
        kept_from = now - timedelta(days=services.settings.event_retention_days)
        old = [p.name for p in partitions.every(db) if p.upper and p.upper <= kept_from]
    for day in days:
        _do(services, partitions.make, day)
    for name in old:
        _do(services, partitions.detach, name)
    _do(services, partitions.drop_detached)
    _do(services, partitions.delete_old, kept_from)


def keep_answers(services: Services) -> None:
    """Forgets answers that could not be read and have been kept for long enough."""
    with services.database.transaction() as db:
        gone = answers.forget_old(db, days=services.settings.answer_retention_days)
    if gone:
        log.info("unread answers forgotten", answers=gone)


def _do(services: Services, work: Callable[..., object], *given: datetime | str) -> None:
    what = work.__name__
    try:
        with services.database.transaction() as db:
            if partitions.take_turn(db) and (done := work(db, *given)):
                log.info("events tidied", what=what, which=done)
    except (DatabaseError, RefresherError) as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0]
        log.warning("events not tidied; again later", what=what, why=why)
