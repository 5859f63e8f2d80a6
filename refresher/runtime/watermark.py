"""Remembers, for this process, from which due time on its next claim looks.

The decision is `rules/watermark.py`'s. Each scheduler has its own: what another one gave back below it
is found by the look at everything, five seconds later at most.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from refresher.rules.connection import Claim
from refresher.rules.watermark import Watermark, after_claim


class ClaimWindow:
    """Where the next claim begins; ticks and sweeps use it from different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark = Watermark()

    def since(self) -> datetime | None:
        """Returns the due time at which the next claim begins; None: at the very beginning."""
        now = monotonic()
        with self._lock:
            since = self._mark.claim_from(now)
            if since is None:
                self._mark = self._mark.looking(now)
            return since

    def claimed(
        self, since: datetime | None, claims: Sequence[Claim], *, took_seconds: float
    ) -> None:
        """Notes a claim that began at `since`, and how long Postgres had to look.

        A claim during which rows were given back tells nothing: it may have looked before.
        """
        last = max((c.due_at for c in claims if c.due_at is not None), default=None)
        with self._lock:
            if self._mark == Watermark():  # reopened since that claim began
                return
            self._mark = after_claim(self._mark, since, last, monotonic(), took_seconds)

    def reopen(self) -> None:
        """Has the next claim look at everything: rows were given back with their old due times."""
        with self._lock:
            self._mark = Watermark()
