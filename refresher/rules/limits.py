"""Decides how much goes out at once: rates, rooms, circuit breakers, and where a claim begins to look.

Pure. A provider's rate is a bucket of one second's worth of requests; what does not fit is spread
over the time that it will take, so ten thousand tokens with one expiry become an even stream. Who
answers nobody is left alone by a circuit breaker; whose failures in a row count is its caller's to
say: a host's (`faults.py`), a webhook endpoint's (`delivery.py`).

The watermark keeps row versions that nobody may clean from costing a claim anything. Every refresh
leaves an old version of its row at the low end of the index of due times. Vacuum takes them away,
unless a session keeps an old snapshot open: then each claim reads past all of them. A claim that
begins where the one before ended does not. Rows that lie below that point all the same (passed over
because somebody held them, given back with their old due time) are found by a look at everything,
which comes every few seconds, and at once after rows were given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Allowance:
    """A token bucket: `rate` requests a second, and a burst of one second's worth, or of `burst`.

    `left` may go at the instant `counted_at`, in seconds of any steady clock.
    """

    rate: float
    left: float
    counted_at: float
    burst: float = 1.0

    def grant(self, now: float, asked: int) -> int:
        """Takes as many of the requests asked for as may go now, and returns how many.

        At 10 a second, of 25 asked at once 10 go; a tenth of a second later there is room for one more.
        """
        full = max(self.burst, self.rate)
        self.left = min(full, self.left + (now - self.counted_at) * self.rate)
        self.counted_at = now
        granted = min(asked, int(self.left))
        self.left -= granted
        return granted

    def take(self, now: float) -> float:
        """Takes one request; returns 0, or the seconds until there is one to take."""
        return 0.0 if self.grant(now, 1) else (1.0 - self.left) / self.rate

    def give_back(self) -> None:
        """Gives one back that need not have been taken."""
        self.left = min(max(self.burst, self.rate), self.left + 1.0)


def delays(rate: float, count: int) -> list[float]:
    """Returns in how many seconds each of `count` requests that did not fit is to come again."""
    return [(n + 1) / rate for n in range(count)]


def room(capacity: int, taken: int, asked: int) -> int:
    """Returns how many of `asked` fit into what is left of a capacity."""
    return max(0, min(asked, capacity - taken))


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The knobs; the settings of the same names, with `breaker_` before them, document them."""

    failures: int = 20
    pause_seconds: float = 30.0
    max_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Opened:
    """Leave it alone for so long; `refusals` counts the openings in a row."""

    seconds: float
    refusals: int


def opens(policy: BreakerPolicy, failures_in_a_row: int, refusals: int) -> Opened | None:
    """Returns the pause that follows from the failures so far, or None.

    The first time after 20 failures in a row; then each probe that fails opens it again at once, for
    twice as long: 30 s, 1, 2, 4, 8, 10 minutes and 10 minutes for ever. A week's outage costs a
    host about a thousand requests, however many connections it has.
    """
    if refusals == 0 and failures_in_a_row < policy.failures:
        return None
    doubled = policy.pause_seconds * 2.0 ** min(refusals, 30)
    return Opened(min(doubled, policy.max_seconds), refusals + 1)


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
