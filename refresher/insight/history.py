"""What the whole came to over hours and days: takes the samples, and tells them.

The scheduler takes one each quarter of a minute, whichever process is first. Charts can wait: at a
database that is away, slow or read-only nothing is said and nothing fails; the gap is seen.
"""

from __future__ import annotations

import structlog

from refresher.errors import RefresherError
from refresher.runtime.services import Services
from refresher.store import sample_history, samples
from refresher.store.pool import DatabaseError
from refresher.store.sample_history import History

log = structlog.get_logger()
LOOK_SECONDS = 5.0
"""How often a scheduler looks whether a slot has ended that nobody has taken."""


def take_sample(services: Services) -> None:
    """Takes the sample of the last slot, where nobody has."""
    try:
        with services.database.transaction() as db:
            sample = samples.take(db)
        if sample is not None:
            with services.database.transaction() as db:
                samples.add_due(db, sample)
    except (DatabaseError, RefresherError) as error:
        _skipped(error)


def forget_old(services: Services) -> None:
    """Thins out old samples, and deletes those that are too old."""
    with services.database.transaction() as db:
        samples.forget_old(db)


def history(services: Services, hours: float = 6.0, provider: str | None = None) -> History:
    """Returns the last hours in 120 points at most, of all providers or of one."""
    with services.database.transaction() as db:
        return sample_history.read(db, hours, provider)


def _skipped(error: Exception) -> None:
    why = str(getattr(error, "orig", None) or error).splitlines()[0]
    log.debug("no sample taken", why=why)
