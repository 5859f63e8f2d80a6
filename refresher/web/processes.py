"""Several web processes on one port: each is `python -m refresher.web`, started again when it ends.

Each inherits a socket that stays open here, so no connection is refused while one of them starts again;
those that are its own wait for it. On Linux each has a socket of its own, and the kernel spreads the
connections evenly: on one socket the process that wakes first takes all that have come, and one of two
did three quarters of the work. Elsewhere they share one.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading

import structlog

from refresher.runtime.children import Child, Leash
from refresher.runtime.log import configure
from refresher.runtime.serving.sockets import listen
from refresher.settings import Settings

log = structlog.get_logger()
SOCKET_OPTION = "--socket"
LOOK_SECONDS = 0.2
GRACE_SECONDS = 10.0
HOPELESS = {2, 3, 4}
"""Exit codes that another start does not change: wrong settings, no database, not migrated."""


def look_after(settings: Settings, stop: threading.Event) -> int:
    """Keeps the processes running until `stop` is set; returns the exit code."""
    configure(settings)
    sockets = _sockets(settings)
    leash = Leash()
    children = [_child([one.fileno() for one in its], leash) for its in sockets]
    for child in children:
        child.start()
    log.info("web processes started", processes=len(children), port=settings.port)
    code = 0
    while not stop.wait(LOOK_SECONDS) and code == 0:
        code = next((c.exit_code for c in children if c.exit_code in HOPELESS), 0) or 0
        for child in children:
            if (ended_with := child.start_again()) is not None:
                log.warning("a web process ended; starting it again", exit_code=ended_with)
    for child in children:
        child.signal(signal.SIGTERM)
    for child in children:
        if not child.wait(settings.shutdown_seconds + GRACE_SECONDS):
            log.warning("a web process did not stop; killed it")
    leash.close()
    return code


def _child(sockets: list[int], leash: Leash) -> Child:
    arguments = ["refresher.web", SOCKET_OPTION, ",".join(map(str, sockets))]
    return Child(arguments, leash, sockets=sockets)


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
