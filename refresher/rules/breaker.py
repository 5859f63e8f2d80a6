"""Decides when somebody who answers nobody is left alone, and for how long: a circuit breaker.

Pure. Who that is, and whose failures in a row count, is its caller's to say: a host, or what else of a
provider is shown to be silent (`faults.py`), or a webhook's endpoint (`delivery.py`). What is held
costs its rows no attempt: they wait for the end of the pause, where one of them probes.
"""

from __future__ import annotations

from dataclasses import dataclass


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
