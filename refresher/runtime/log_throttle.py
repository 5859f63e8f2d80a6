"""Says the same thing seldom: a trouble of ten minutes is told every ten seconds, not at each try.

While Postgres is away every tick and every thread meets it, each several times a second. What was left
out is counted in the next line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

import structlog

SELDOM_SECONDS = 10.0


class Seldom:
    """Log lines by what they are about: each at once, and then once in `every_seconds`."""

    def __init__(
        self,
        every_seconds: float = SELDOM_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[Hashable, tuple[float, int]] = {}

    def warning(self, event: str, about: Hashable = None, **values: object) -> None:
        """Logs a warning; `about` tells apart what the same words are said of."""
        if (before := self._turn((event, about))) is not None:
            structlog.get_logger().warning(event, **values, **before)

    def error(self, event: str, about: Hashable = None, **values: object) -> None:
        """Logs an error."""
        if (before := self._turn((event, about))) is not None:
            structlog.get_logger().error(event, **values, **before)

    def exception(
        self, event: str, error: Exception, about: Hashable = None, **more: object
    ) -> None:
        """Logs an error with its traceback; those of one type are the same thing."""
        if (before := self._turn((event, about, type(error)))) is not None:
            structlog.get_logger().error(event, exc_info=error, **more, **before)

    def _turn(self, key: Hashable) -> dict[str, int] | None:
        """Returns None when it was said just now, else how often it was left out since."""
        now = self._clock()
        with self._lock:
            said_at, left_out = self._said.get(key, (float("-inf"), 0))
            if now - said_at < self._every:
                self._said[key] = (said_at, left_out + 1)
                return None
            self._said[key] = (now, 0)
        return {"left_out": left_out} if left_out else {}
