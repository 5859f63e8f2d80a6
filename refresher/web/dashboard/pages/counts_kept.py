"""Counts by word and in all, kept a while where there is much to count: many may look, few count."""

from __future__ import annotations

import time
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from refresher.rules.standing_word import Health
from refresher.store import counting
from refresher.store.counting import Counted
from refresher.store.session import Db
from refresher.web.state import Shared

Counts = Mapping[Health, Counted]
MANY, MOST_KEPT = 2_000, 100
LEAST_SECONDS, MOST_SECONDS, TIMES = 5.0, 30.0, 100.0
"""How long a count is kept: so many times what it took, within these."""
_kept: WeakKeyDictionary[Shared, dict[str | None, tuple[float, Counts, Counted]]] = (
    WeakKeyDictionary()
)


def counts(shared: Shared, db: Db, organization_id: str | None) -> tuple[Counts, Counted]:
    """Returns the counts of an organization or of all, and in all; large ones may be 30 s old."""
    kept = _kept.setdefault(shared, {})
    began = time.monotonic()
    before = kept.get(organization_id)
    if before is not None and began < before[0]:
        return before[1:]
    found, total = counting.counts(db, organization_id), counting.about(db, organization_id)
    kept.pop(organization_id, None)
    if total.number > MANY:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        now = time.monotonic()
        seconds = min(MOST_SECONDS, max(LEAST_SECONDS, TIMES * (now - began)))
        kept[organization_id] = (now + seconds, found, total)
    return found, total
