"""Holds signals back while something runs that must not be cut in half."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from refresher.cli.output import note

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def signals_held(what: str, on_signal: Callable[[], None]) -> Iterator[None]:
    """Lets the block end before a signal takes effect; a second signal ends the process at once.

    Between a provider's reply and its commit, this process holds the only copy of a rotated token.
    `what` completes the sentence "Stopping when …"; `on_signal` tells the block that it should not take
    longer than it must.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        on_signal()
        note(f"Stopping when {what}; again to stop at once.")

    # What is ignored stays ignored: a command in the background, or under nohup.
    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, remember) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
