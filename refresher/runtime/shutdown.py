"""How a process ends when it is asked to: soon, whatever hangs, and at once when it is asked twice.

A platform kills what has not ended after some time of its own, 40 s where our documents say so. What
hangs until then may be a server that is suspended, a thread of a library, an exit handler. Nothing is
lost by an end at once: what is in flight is in the journal, what arrived is in the spool by then.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger()
GRACE_SECONDS = 7.0
"""What a process may take beyond REFRESHER_SHUTDOWN_SECONDS."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Turns the first SIGTERM or SIGINT into a wish, and a second one into an end at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._lock = threading.Lock()
        self._wishes: list[Callable[[], object]] = []
        self._was_asked = False
        # A handler runs between any two steps of the main thread, which may hold any lock: it must
        # not set an event itself.
        reading, self._writing = os.pipe()
        threading.Thread(target=self._watch, args=(reading,), name="stop", daemon=True).start()
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def also(self, wish: Callable[[], object]) -> None:
        """Has `wish` called when somebody asks, at once if that was before; on another thread."""
        with self._lock:
            if not self.asked.is_set():
                self._wishes.append(wish)
                return
        wish()

    def wait(self) -> None:
        """Returns when somebody has asked."""
        while not self.asked.wait(1.0):
            pass

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._was_asked:
            os._exit(128 + number)
        self._was_asked = True
        os.write(self._writing, b"!")

    def _watch(self, reading: int) -> None:
        os.read(reading, 1)
        with self._lock:
            self.asked.set()
            wishes = self._wishes
        for wish in wishes:
            wish()


def end_within(seconds: float) -> None:
    """Ends this process with 1 after so many seconds, if it has not ended by itself."""

    def end() -> None:
        time.sleep(seconds)
        log.error("something hangs: ending without it", after_seconds=seconds)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(1)

    threading.Thread(target=end, name="end", daemon=True).start()


def parent_was_asked() -> bool:
    """Whether our parent has a SIGTERM or SIGINT waiting that it does not take yet (Linux).

    Dramatiq's first process blocks both until its workers have started, for up to half a minute.
    """
    try:
        text = Path(f"/proc/{os.getppid()}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    values = dict(line.partition(":")[::2] for line in text.splitlines())
    waiting = int(values.get("ShdPnd", "0"), 16) | int(values.get("SigPnd", "0"), 16)
    return any(waiting >> (number - 1) & 1 for number in SIGNALS)
