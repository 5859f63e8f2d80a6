"""Holds signals back while something runs that must not be cut in half."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType

from refresher.cli.output import note
from refresher.refresh.on_demand import OnDemand
from refresher.runtime.services import Services

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


@contextmanager
def on_demand_held(services: Services) -> Iterator[OnDemand]:
    """Opens refresh on demand for one command: a signal waits for our own refresh alone."""
    on_demand = OnDemand(services, role="command")

    def hurry() -> None:
        services.stopping.set()
        if not on_demand.busy:
            raise KeyboardInterrupt  # another process does the work, and goes on with it

    with signals_held("the refresh has ended", hurry), closing(on_demand):
        yield on_demand
