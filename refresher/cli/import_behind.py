"""Does one thing at a time on a thread of its own, while the caller goes on reading.

Postgres and this process then work at the same time. What came of it is counted by the caller's thread
alone. A signal breaks the reading off at once and waits for what is under way, so that what is told to
be stored is stored; a second one waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from refresher.cli.output import note
from refresher.cli.session import signals_held

T = TypeVar("T")


class Behind(Generic[T]):
    """The thread; it lives while `open` is open. `what` completes the sentence "Stopping when …"."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._under_way: tuple[Future[T], Callable[[T], None]] | None = None
        self._pool: ThreadPoolExecutor | None = None
        # While something is counted, a signal waits for that.
        self._deaf = False
        self._heard = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """Starts the thread. What is under way at the end is counted, also after an error."""
        with signals_held(self._what, self._break_off), ThreadPoolExecutor(1) as self._pool:
            try:
                yield
            finally:
                self._deaf = True  # `signals_held` tells it, and raises the signal after us
                with suppress(Exception):  # who got here by an error, got here by the first one
                    self.settle()

    def begin(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Begins `work`, once what is under way has been counted; `then` counts what came of it."""
        self.settle()
        assert self._pool is not None
        self._under_way = self._pool.submit(work), then

    def settle(self) -> bool:
        """Waits for what is under way and counts it; returns whether there was any."""
        if self._under_way is None:
            return False
        wait([self._under_way[0]])
        with self._undisturbed():
            (future, then), self._under_way = self._under_way, None
            then(future.result())
        return True

    @property
    def is_busy(self) -> bool:
        """Whether something is under way that is not yet counted."""
        return self._under_way is not None

    @property
    def is_over(self) -> bool:
        """Whether what is under way has ended, so that `settle` need not wait."""
        return self._under_way is not None and self._under_way[0].done()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        before, self._deaf = self._deaf, True
        try:
            yield
        finally:
            self._deaf = before
        if self._heard and not self._deaf:
            raise KeyboardInterrupt

    def _break_off(self) -> None:
        self._heard = True
        if self._deaf:
            return
        if self._under_way is not None:
            note(f"Stopping when {self._what}; again to stop at once.")
        raise KeyboardInterrupt
