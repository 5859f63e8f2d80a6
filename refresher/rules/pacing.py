"""Decides how many requests to a provider go out now, so that its rate is never exceeded.

Pure: a bucket of one second's worth of requests that fills at the provider's rate. What does not fit
is spread over the time that it will take, so ten thousand tokens with one expiry become an even stream.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many requests may go at the instant `at`, in seconds of any steady clock."""

    tokens: float
    at: float


def take(bucket: Bucket, now: float, rate: float, asked: int) -> tuple[int, Bucket]:
    """Returns how many of the requests asked for may go now, and the bucket after them.

    At 10 a second, of 25 asked at once 10 go; a tenth of a second later there is room for one more.
    """
    filled = min(max(1.0, rate), bucket.tokens + (now - bucket.at) * rate)
    granted = min(asked, int(filled))
    return granted, Bucket(filled - granted, now)


def delays(rate: float, count: int) -> list[float]:
    """Returns in how many seconds each of `count` requests that did not fit is to come again."""
    return [(n + 1) / rate for n in range(count)]


def room(capacity: int, taken: int, asked: int) -> int:
    """Returns how many of `asked` fit into what is left of a capacity."""
    return max(0, min(asked, capacity - taken))
