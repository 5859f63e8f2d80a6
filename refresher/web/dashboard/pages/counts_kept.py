"""Counts by word, kept for some seconds where there is much to count: many may look, few count."""

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
MANY, KEPT_SECONDS, MOST_KEPT = 2_000, 5.0, 100
_kept: WeakKeyDictionary[Shared, dict[str | None, tuple[float, Counts]]] = WeakKeyDictionary()


def counts(shared: Shared, db: Db, organization_id: str | None) -> Counts:
    """Returns the counts of an organization or of all; large ones may be 5 s old."""
    kept = _kept.setdefault(shared, {})
    began = time.monotonic()
    before = kept.get(organization_id)
    if before is not None and began < before[0]:
        return before[1]
    found = counting.counts(db, organization_id)
    kept.pop(organization_id, None)
    if sum(one.number for one in found.values()) > MANY:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[organization_id] = (began + KEPT_SECONDS, found)
    return found
