"""Decides from which due time on a claim looks, so that row versions nobody may clean cost it nothing.

Pure. Every refresh leaves an old version of its row at the low end of the index of due times. Vacuum
takes them away, unless a session keeps an old snapshot open: then each claim reads past all of them.
A claim that begins where the one before ended does not. Rows that lie below that point all the same
(passed over because somebody held them, given back with their old due time) are found by a look at
everything, which comes every few seconds, and at once after rows were given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FULL_LOOK_SECONDS = 5.0
MARGIN = timedelta(seconds=5)
"""How far below the last claim the next one begins: a slower transaction may commit a due time late."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where the last claim ended, and when (on any steady clock) the next look at everything is due."""

    due_at: datetime | None = None
    full_look_at: float = 0.0

    def claim_from(self, now: float) -> datetime | None:
        """Returns the due time at which the next claim begins; None: at the very beginning."""
        return None if now >= self.full_look_at else self.due_at


def after_claim(
    mark: Watermark, began_at: datetime | None, last_due_at: datetime | None, now: float
) -> Watermark:
    """Returns the watermark after a claim that began at `began_at` and took rows up to `last_due_at`.

    A claim from the beginning that found nothing leaves none: there is nothing to pass over. One that
    found something puts the next look at everything five seconds ahead.
    """
    if began_at is None:
        due_at = last_due_at - MARGIN if last_due_at else None
        return Watermark(due_at, now + FULL_LOOK_SECONDS if due_at else 0.0)
    if last_due_at is None:
        return mark
    return Watermark(max(began_at, last_due_at - MARGIN), mark.full_look_at)
