"""Runs the real story of a refresh on a thread of its own, and stops it at each checkpoint.

What the test sees between two points is what another process would see: the story is where it says it
is, with its transaction open or closed as it really is. Next: stepper.py.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point

PATIENCE_SECONDS = 60.0


class StoryEnded(AssertionError):
    """The step that was asked for never comes: the story took another way, or is over."""


class _Died(BaseException):
    """The story's process ended here."""


class Story:
    """`work`, stopped at each point until it is let go; one at a time in a process."""

    def __init__(self, work: Callable[[], Counter[str]]) -> None:
        self._work = work
        self._thread = threading.Thread(target=self._run, name="story", daemon=True)
        self._arrived, self._go = threading.Event(), threading.Event()
        self._dies = False
        self._before: checkpoints.Listener | None = None
        self.at: Point | None = None
        self.in_hand: object = None
        self.tally: Counter[str] | None = None
        self.error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return self.tally is not None or self.error is not None

    def start(self) -> None:
        """Runs to the first point."""
        self._before = checkpoints.install(self._reached)
        self._thread.start()
        self._wait()

    def next(self) -> Point | None:
        """Lets it go on to the next point, and returns that; None at its end."""
        self._arrived.clear()
        self._go.set()
        self._wait()
        return self.at

    def die(self) -> None:
        """Ends it here, as kill -9 would: nothing after this point is done."""
        self._dies = True
        while not self.is_over:
            self.next()

    def close(self) -> None:
        """Takes back what `start` installed."""
        checkpoints.install(self._before)

    def _run(self) -> None:
        try:
            self.tally = self._work()
        except _Died:
            self.tally = Counter(died=1)
        except BaseException as error:  # noqa: BLE001  told to the test, on its own thread
            self.error = error
        self.at = None
        self._arrived.set()

    def _reached(self, point: Point) -> None:
        if self._before is not None:
            self._before(point)
        if threading.current_thread() is not self._thread:
            return
        self.at, self.in_hand = point, checkpoints.in_hand()
        self._arrived.set()
        self._go.wait()
        self._go.clear()
        if self._dies:
            raise _Died

    def _wait(self) -> None:
        if not self._arrived.wait(PATIENCE_SECONDS):
            raise StoryEnded(f"nothing came after {self.at!r} for {PATIENCE_SECONDS:.0f} s")
        if self.error is not None:
            raise self.error
