"""What one process remembers to hold itself back: rates of providers, and where the claim looks.

The arithmetic is that of `rules/limits.py`. Two schedulers remember each on
their own: give each its part of a provider's rate. What another one gave back below the mark is found
by the look at everything, five seconds later at most.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from time import monotonic

from refresher.catalogue import Catalogue
from refresher.rules.connection import Claim
from refresher.rules.limits import Allowance, Watermark, after_claim, delays, room

FULL_SECONDS = 1.0
"""When a row comes again whose provider has all of its share in flight."""
ALONE_SECONDS = 1.0
"""How long one provider that had everything in flight is taken to be alone still."""


class Pacer:
    """Splits a provider's claims into those that go now and those that wait."""

    def __init__(self, catalogue: Catalogue, *, capacity: int) -> None:
        self._catalogue = catalogue
        self._capacity = capacity
        self._rates: dict[str, Allowance] = {}
        self._alone: str | None = None
        self._alone_until = 0.0

    def is_alone(self, providers: Collection[str]) -> bool:
        """Whether these are just the one provider that a moment ago had nobody to share with."""
        return set(providers) == {self._alone} and monotonic() < self._alone_until

    def saw(self, leased: Mapping[str, int]) -> None:
        """Remembers who was in flight: counting all of it costs milliseconds, for every claim."""
        self._alone = next(iter(leased)) if len(leased) == 1 else None
        self._alone_until = monotonic() + ALONE_SECONDS

    def split(
        self, provider: str, claims: Sequence[Claim], leased: Mapping[str, int]
    ) -> tuple[list[Claim], list[tuple[Claim, float]]]:
        """Returns what goes now, and the rest with the seconds until it is due again.

        `leased` counts what each provider has in flight, these claims among it; empty while there is
        room for everybody.
        """
        others = leased.get(provider, len(claims)) - len(claims)
        fitting = room(self._capacity, others, len(claims))
        now, over = list(claims[:fitting]), [(c, FULL_SECONDS) for c in claims[fitting:]]
        entry = self._catalogue.get(provider)
        rate = entry.max_requests_per_second if entry else None
        if rate is None or not now:
            return now, over
        full = Allowance(rate, max(1.0, rate), monotonic())
        granted = self._rates.setdefault(provider, full).grant(monotonic(), len(now))
        held = now[granted:]
        return now[:granted], over + list(zip(held, delays(rate, len(held)), strict=True))


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
