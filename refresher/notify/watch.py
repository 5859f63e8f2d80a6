"""Tells what no single refresh can know: ends that come near, tokens that expired during trouble.

The scheduler calls `tell` once a minute. Each step is one statement on an index that is empty while all
is well, in a transaction of its own: more than one batch waits for the next minute's.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from refresher.runtime.services import Services
from refresher.store import grant_ends, lookup, notices, outbox
from refresher.store.session import Db, retrying

log = structlog.get_logger()
LOOK_SECONDS = 60.0
"""How often the scheduler looks."""
KEEP_DAYS = 90.0
"""How long the outbox keeps what everybody has read."""
BATCH = 1_000


def tell(services: Services) -> None:
    """Writes the notices that are due: delayed refreshes, ends that come near, what was held back."""
    with services.database.transaction() as db:
        used = lookup.names(db, "provider", limit=10_000)
    known = services.catalogue.those(used)
    fixed = [one.name for one in known if one.refresh_token_clock == "fixed"]
    delayed = _all_of(services, lambda db: notices.find_delayed(db, limit=BATCH))
    _all_of(services, lambda db: grant_ends.look(db, fixed=fixed, limit=BATCH))
    _all_of(services, lambda db: notices.look_again(db, limit=BATCH))
    if delayed:
        log.warning("tokens expired while their provider is in trouble", connections=delayed)


def forget_old(services: Services) -> None:
    """Deletes what was told long ago."""
    with services.database.transaction() as db:
        outbox.forget_old(db, days=KEEP_DAYS)


def _all_of(services: Services, step: Callable[[Db], int]) -> int:
    """Repeats a step until a batch is not full; returns how many it found."""

    def once() -> int:
        with services.database.transaction() as db:
            return step(db)

    total, found = 0, BATCH
    while found >= BATCH and not services.stopping.is_set():
        found = retrying(once)
        total += found
    return total
