"""Several web processes on one port: each is `python -m refresher.web`, started again when it ends.

Each inherits a socket that stays open here, so no connection is refused while one of them starts again;
those that are its own wait for it. On Linux each has a socket of its own, and the kernel spreads the
connections evenly: on one socket the process that wakes first takes all that have come, and one of two
did three quarters of the work. Elsewhere they share one.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from time import monotonic

import structlog

from refresher.runtime.children import Leash
from refresher.runtime.log import configure
from refresher.runtime.serving.sockets import listen
from refresher.settings import Settings

log = structlog.get_logger()
SOCKET_OPTION = "--socket"
LOOK_SECONDS = 0.2
AGAIN_SECONDS = 2.0
GRACE_SECONDS = 10.0
HOPELESS = {2, 3, 4}
"""Exit codes that another start does not change: wrong settings, no database, not migrated."""


def look_after(settings: Settings, stop: threading.Event) -> int:
    """Keeps the processes running until `stop` is set; returns the exit code."""
    configure(settings)
    sockets = _sockets(settings)
    leash = Leash()
    children = [Child([one.fileno() for one in its], leash) for its in sockets]
    log.info("web processes started", processes=len(children), port=settings.port)
    code = 0
    while not stop.wait(LOOK_SECONDS) and code == 0:
        code = next((c for child in children if (c := child.hopeless()) is not None), 0)
        for child in children:
            child.look_after()
    for child in children:
        child.terminate()
    for child in children:
        child.wait(settings.shutdown_seconds + GRACE_SECONDS)
    leash.close()
    return code


def _sockets(settings: Settings) -> list[list[socket.socket]]:
    """Returns the sockets of each process; raises `CannotListen` for a port that is not to be had."""
    alone = _open(settings)  # also where they share: two services must not do so by mistake
    if sys.platform != "linux":
        return [alone] * settings.web_processes
    for one in alone:
        one.close()
    return [_open(settings, shared=True) for _ in range(settings.web_processes)]


def _open(settings: Settings, *, shared: bool = False) -> list[socket.socket]:
    made = listen(settings.host, settings.port, shared=shared)
    for one in made:
        one.set_inheritable(True)
    return made


class Child:
    """One web process."""

    def __init__(self, sockets: list[int], leash: Leash) -> None:
        self._sockets = sockets
        self._leash = leash
        self._started_at = 0.0
        self._process = self._start()

    def hopeless(self) -> int | None:
        """Returns the exit code with which it ended where starting it again would not help."""
        code = self._process.poll()
        return code if code in HOPELESS else None

    def look_after(self) -> None:
        """Starts it again when it has ended, at most every two seconds."""
        code = self._process.poll()
        if code is None or monotonic() - self._started_at < AGAIN_SECONDS:
            return
        log.warning("a web process ended; starting it again", exit_code=code)
        self._leash.release(self._process.pid)
        self._process = self._start()

    def terminate(self) -> None:
        """Asks it to stop."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, limit_seconds: float) -> None:
        """Waits for its end; what does not stop in time is ended with us, by the leash."""
        try:
            self._process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            log.warning("a web process does not stop; ending it", process_id=self._process.pid)

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603  this Python, words of ours
            [
                sys.executable,
                "-m",
                "refresher.web",
                SOCKET_OPTION,
                ",".join(map(str, self._sockets)),
            ],
            pass_fds=self._sockets,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is meant for us, who end it in its turn
        )
        self._leash.hold(process.pid)
        self._started_at = monotonic()
        return process
