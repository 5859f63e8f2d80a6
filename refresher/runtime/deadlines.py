"""Asks what may hang, without hanging: each question on a thread of its own, one at a time.

A server that is stopped or swaps answers nothing and refuses nothing, so no time-out of its own counts.
A page that is to tell about it must not wait for it either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 1.2


class Look(Generic[T]):
    """One question; safe to ask from several threads, which then share the answer."""

    def __init__(self, ask: Callable[[], T], *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._ask = ask
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._under_way: _Run[T] | None = None

    def __call__(self) -> T | None:
        """Returns the answer, None when it does not come soon; raises what the question raises."""
        with self._lock:
            run = self._under_way
            if run is None or run.done.is_set():
                run = self._under_way = _Run(self._ask)
        run.done.wait(max(0.0, run.began_at + self._patience_seconds - time.monotonic()))
        return run.result()


class _Run(Generic[T]):
    """One time that it is asked."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self.began_at = time.monotonic()
        self.done = threading.Event()
        self._answer: T | None = None
        self._error: BaseException | None = None
        # A daemon: it must not keep a process that is to end.
        threading.Thread(target=self._run, args=(ask,), name="look", daemon=True).start()

    def result(self) -> T | None:
        if self._error is not None:
            raise self._error
        return self._answer

    def _run(self, ask: Callable[[], T]) -> None:
        try:
            self._answer = ask()
        except BaseException as error:  # noqa: BLE001  it is raised where it was asked
            self._error = error
        finally:
            self.done.set()
