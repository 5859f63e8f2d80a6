"""Further processes that refresh beside a scheduler with the transport `in_process`.

The scheduler claims and paces for all of them, as if it were alone. A batch goes to whoever has least
to do, over a pair of sockets, and its thread waits for the answer. Whose helper dies does the batch
here: what that one had begun or finished is fenced, and swept; the rest goes on at once. The helpers'
side is `refresher/helper.py`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection

import structlog

from refresher.errors import DatabaseUnavailable, RefresherError
from refresher.runtime.children import AGAIN_SECONDS, Child, Leash

log = structlog.get_logger()
Batch = Sequence[tuple[str, int]]
Tally = Mapping[str, int]
GRACE_SECONDS = 10.0
"""What a helper may take beyond REFRESHER_SHUTDOWN_SECONDS, before it is killed."""


class HelperFailed(RefresherError):
    """A bug ended a batch in a helper, whose log has the traceback."""


class Helpers:
    """The helpers of this process; without any, everything is done here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: Counter[Helper | None] = Counter()
        self._helpers: list[Helper] = []
        self._leash: Leash | None = None

    def start(self, processes: int) -> None:
        """Starts so many, and starts again what dies of them; returns at once."""
        if processes:
            self._leash = Leash()
            self._helpers = [Helper(self._leash) for _ in range(processes)]

    def share(self, batch: Batch, here: Callable[[], Tally]) -> Tally:
        """Returns how a batch went, done by the one with least to do: a helper, or `here`.

        Raises what `here` raises, `DatabaseUnavailable` of a helper, or `HelperFailed`.
        """
        chosen = self._choose()
        try:
            told = chosen.ask(batch) if chosen else None
            return here() if told is None else told
        finally:
            with self._lock:
                self._busy[chosen] -= 1

    def _choose(self) -> Helper | None:
        with self._lock:
            those = [None, *(helper for helper in self._helpers if helper.is_ready)]
            chosen = min(those, key=self._busy.__getitem__)
            self._busy[chosen] += 1
            return chosen

    def ask_to_stop(self) -> None:
        """Has them finish what they have in hand, and begin nothing."""
        for helper in self._helpers:
            helper.ask_to_stop()

    def stop(self, seconds: float) -> None:
        """Waits for their end, so long and a little more; then kills them."""
        for helper in self._helpers:
            if not helper.wait(seconds + GRACE_SECONDS):
                log.warning("a helping process did not stop; killed it")
        if self._leash is not None:
            self._leash.close()


class Helper:
    """One process, started again when it ends; a thread of ours reads its answers."""

    def __init__(self, leash: Leash) -> None:
        self.is_ready = False
        self._leash = leash
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._numbers = count(1)
        self._waiting: dict[int, Future[Tally | None]] = {}
        self._child: Child | None = None
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._look_after, name="helper", daemon=True)
        self._thread.start()

    def ask(self, batch: Batch) -> Tally | None:
        """Returns how a batch went there; None when it ended, or ends, without saying so."""
        number, answer = next(self._numbers), Future[Tally | None]()
        with self._lock:
            if not self.is_ready or self._connection is None:
                return None
            self._waiting[number] = answer
            try:
                self._connection.send_bytes(json.dumps([number, batch]).encode())
            except OSError:  # it has ended: whoever reads will notice
                del self._waiting[number]
                return None
        return answer.result()

    def ask_to_stop(self) -> None:
        """Has it take no more; not started again from now on."""
        self._stopping.set()
        with self._lock:
            self.is_ready = False
            if self._child is not None:
                self._child.signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Whether it ended by itself within the time; kills it otherwise."""
        self.ask_to_stop()
        ended = self._child.wait(seconds) if self._child is not None else True
        self._thread.join(seconds)
        return ended

    def _look_after(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read(self._start())
            except OSError as error:  # such as no memory for a process: it passes
                log.warning("a helping process does not start", why=str(error))
            self._forget()
            if not self._stopping.wait(AGAIN_SECONDS):
                code = self._child.exit_code if self._child else None
                log.warning("a helping process ended; starting it again", exit_code=code)

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        fd = theirs.fileno()
        environment = os.environ | {"PORT": "0", "REFRESHER_STATUS_PORT": "0"}
        child = Child(
            ["refresher.helper", str(fd)], self._leash, environment=environment, sockets=(fd,)
        )
        with self._lock, theirs:
            self._connection = connection = Connection(ours.detach())
            if not self._stopping.is_set():
                self._child = child
                child.start()
        return connection

    def _read(self, connection: Connection) -> None:
        with suppress(EOFError, OSError):
            while True:
                number, told, error = json.loads(connection.recv_bytes())
                with self._lock:
                    if not number:
                        self.is_ready = not self._stopping.is_set()
                        continue
                    answer = self._waiting.pop(number)
                if error is None:
                    answer.set_result(told)
                else:
                    answer.set_exception(_error(*error))

    def _forget(self) -> None:
        with self._lock:
            self.is_ready = False
            waiting, self._waiting = self._waiting, {}
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        for answer in waiting.values():
            answer.set_result(None)


def _error(kind: str, why: str) -> RefresherError:
    return DatabaseUnavailable(why) if kind == "database" else HelperFailed(why)
