"""A helper of a scheduler: `python -m refresher.helper FD`, started by `runtime/helpers.py` alone.

It claims nothing. It does the batches that it reads from a socket, as many at a time as it is given,
and answers each with its tally. It ends when it is asked to, or when the scheduler is gone; what it has
in hand is finished first.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from uuid import UUID

import structlog

from refresher.errors import DatabaseUnavailable, RefresherError
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.runtime import checkpoints
from refresher.runtime.helpers import Batch
from refresher.runtime.log import adopt_all, say_last
from refresher.runtime.process import Process, spare_collections, starting
from refresher.runtime.services import Services, services
from refresher.runtime.shutdown import GRACE_SECONDS, Stop, end_within

log = structlog.get_logger()
MOST_BATCHES = 256


class Desk:
    """Where batches come in and tallies go out."""

    def __init__(self, services: Services, socket_: socket.socket) -> None:
        self._services, self._socket = services, socket_
        self._connection = Connection(socket_.detach())
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(MOST_BATCHES, thread_name_prefix="batch")

    def serve(self) -> None:
        """Returns when no more come, and all in hand are answered."""
        self._answer(0, None, None)
        with suppress(EOFError, OSError), self._threads:
            while True:
                number, batch = json.loads(self._connection.recv_bytes())
                self._threads.submit(self._work, number, batch)

    def _work(self, number: int, batch: Batch) -> None:
        checkpoints.reach("received")
        tally, error = None, None
        try:
            tally = dict(refresh(self._services, [Claim(UUID(id_), token) for id_, token in batch]))
        except DatabaseUnavailable as away:
            error = ("database", str(away))
        except Exception as bug:
            log.exception("a batch failed")
            error = ("bug", type(bug).__name__)
        self._answer(number, tally, error)

    def _answer(
        self, number: int, tally: dict[str, int] | None, error: tuple[str, str] | None
    ) -> None:
        with self._lock, suppress(OSError):  # nobody is left to hear it: all is in the database
            self._connection.send_bytes(json.dumps([number, tally, error]).encode())


def main(arguments: Sequence[str]) -> int:
    """Works until SIGTERM, or the end of whoever started it; returns the exit code."""
    given = socket.socket(fileno=int(arguments[0]))
    stop = Stop()
    adopt_all()
    try:
        with starting("helper"):
            built = services()
            stop.also(built.ask_to_stop)
            stop.also(lambda: end_within(built.settings.shutdown_seconds + GRACE_SECONDS))
            running = Process("worker", built, None)
            running.start()
            spare_collections()
    except RefresherError as error:
        say_last(error)
        return error.exit_code
    ending = given.dup()
    stop.also(lambda: ending.shutdown(socket.SHUT_RD))
    Desk(built, given).serve()
    built.ask_to_stop()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
