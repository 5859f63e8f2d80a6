"""The one way tests wait: for a condition, with a deadline, and a reason when it passes."""

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], limit_seconds: float = 10.0, reason: Callable[[], str] = str
) -> None:
    """Returns as soon as `condition()` holds; fails with `reason()` after `limit_seconds`."""
    give_up_at = time.monotonic() + limit_seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"not within {limit_seconds} s; {reason()}")
        time.sleep(0.01)
