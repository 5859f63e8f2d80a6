"""What may hang is asked without hanging, and what takes too long is helped from outside.

A server that is stopped or swaps answers nothing and refuses nothing, so no time-out of its own counts.
A page that is to tell about it must not wait for it either: each `Look` is on a thread of its own, one
at a time. A commit that waits for a server that is frozen, a session of the pool, or a lock cannot help
itself: `Lookout` does. Blocks that end soon cost a set's entry; one thread looks four times a second,
and only while there is something to see.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from refresher.runtime.log import Seldom

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


LONG_SECONDS = 1.0
LOOK_SECONDS = 0.25
IDLE_LOOKS = 8
"""After so many looks at nothing the thread ends; the next block starts another."""


class _Block:
    """One block under way. `lock` is held while it is helped, and taken at its end."""

    __slots__ = ("began_at", "has_ended", "help", "lock")

    def __init__(self, help_: Callable[[], object]) -> None:
        self.help = help_
        self.began_at = time.monotonic()
        self.has_ended = False
        self.lock = threading.Lock()


class Lookout:
    """Calls for help while a block takes longer than `long_seconds`; safe from any thread."""

    def __init__(self, long_seconds: float = LONG_SECONDS) -> None:
        self._long_seconds = long_seconds
        self._lock = threading.Lock()
        self._blocks: set[_Block] = set()
        self._thread: threading.Thread | None = None
        self._seldom = Seldom()

    @contextmanager
    def over(self, help_: Callable[[], object]) -> Iterator[None]:
        """Has `help_` called again and again, on another thread, while the block takes long.

        Never before it does, nor after it has ended: its end waits for a call that is under way.
        """
        block = _Block(help_)
        self._add(block)
        try:
            yield
        finally:
            with self._lock:
                self._blocks.discard(block)
            with block.lock:
                block.has_ended = True

    def _add(self, block: _Block) -> None:
        with self._lock:
            self._blocks.add(block)
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="lookout", daemon=True)
                with suppress(RuntimeError):  # no thread is to be had: the block goes on alone
                    thread.start()
                    self._thread = thread

    def _watch(self) -> None:
        idle = 0
        while True:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                blocks = list(self._blocks)
                idle = 0 if blocks else idle + 1
                if idle >= IDLE_LOOKS:
                    self._thread = None
                    return
            late = time.monotonic() - self._long_seconds
            for block in blocks:
                if block.began_at < late:
                    self._help(block)

    def _help(self, block: _Block) -> None:
        with block.lock:
            if block.has_ended:
                return
            try:
                block.help()
            except Exception as error:  # noqa: BLE001  the others are to be helped all the same
                self._seldom.exception("cannot help what takes long", error)
