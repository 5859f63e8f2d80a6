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
FULL_LOOK_SHARE = 0.05
"""At most this share of the time goes into looks at everything: slow ones come less often."""
MARGIN = timedelta(seconds=1)
"""How far below the last claim the next one begins: a slower transaction may commit a due time late."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where the last claim ended, and when (on any steady clock) the next look at everything is due."""

    due_at: datetime | None = None
    full_look_at: float = 0.0

    def claim_from(self, now: float) -> datetime | None:
        """Returns the due time at which the next claim begins; None: at the very beginning."""
        return None if now >= self.full_look_at else self.due_at

    def looking(self, now: float) -> Watermark:
        """Returns it while a claim is under way: a full look that fails is not repeated at once."""
        return Watermark(self.due_at, max(self.full_look_at, now + FULL_LOOK_SECONDS))


def after_claim(
    mark: Watermark,
    began_at: datetime | None,
    last_due_at: datetime | None,
    now: float,
    took_seconds: float,
) -> Watermark:
    """Returns the watermark after a claim that began at `began_at` and took rows up to `last_due_at`.

    One from the beginning that found something puts the next look at everything five seconds ahead. One
    that found nothing does not, unless it took long, for then the old versions are many.
    """
    if began_at is None:
        rest = took_seconds / FULL_LOOK_SHARE
        if last_due_at is None:
            return Watermark(mark.due_at, now + rest)
        return Watermark(last_due_at - MARGIN, now + max(FULL_LOOK_SECONDS, rest))
    if last_due_at is None:
        return mark
    return Watermark(max(began_at, last_due_at - MARGIN), mark.full_look_at)
