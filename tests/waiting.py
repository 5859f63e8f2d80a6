"""The one way tests wait: for a condition, with a deadline, and a reason when it passes.

The deadline guards against hanging and asserts nothing: on a busy machine everything may take ten times
as long. What must be quick is shown by what is waited for, never by how long.
"""

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], limit_seconds: float = 60.0, reason: Callable[[], str] = str
) -> None:
    """Returns as soon as `condition()` holds; fails with `reason()` after `limit_seconds`."""
    give_up_at = time.monotonic() + limit_seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"not within {limit_seconds} s; {reason()}")
        time.sleep(0.01)
