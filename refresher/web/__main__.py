"""The web process: `python -m refresher.web` serves the HTTP API and health on PORT.

With REFRESHER_WEB_PROCESSES above 1 this process only looks after so many others, which share its
socket: `processes.py`.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

import structlog

from refresher.errors import RefresherError, SettingsError
from refresher.runtime.log import adopt_all, say_last
from refresher.runtime.process import Process, spare_collections, starting
from refresher.runtime.services import services
from refresher.runtime.shutdown import GRACE_SECONDS, Stop, end_within
from refresher.settings import load
from refresher.web.app import Api
from refresher.web.processes import SOCKET_OPTION, look_after

log = structlog.get_logger()
SWITCH_SECONDS = 0.0005
"""How long a thread that reads from Postgres may keep the event loop waiting: Python's own 5 ms, some
of them for each answer, are most of the time that a token takes under load."""


def main(arguments: Sequence[str] = ()) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    stop = Stop()
    adopt_all()
    inherited = _inherited(arguments)
    try:
        settings = load()
        if settings.port == 0:
            raise SettingsError("PORT is 0, which serves nothing: give the web process a port")
        if settings.web_processes > 1 and not inherited:
            return look_after(settings, stop.asked)
        with starting("web process"):
            process = _started(inherited, stop)
    except RefresherError as error:
        say_last(error)
        return error.exit_code
    stop.wait()
    process.stop()
    return 0


def _started(inherited: Sequence[socket.socket], stop: Stop) -> Process:
    from refresher.runtime.broker import broker  # noqa: PLC0415  a wrong setting ends in its sentence

    built = services()
    stop.also(built.ask_to_stop)
    stop.also(lambda: end_within(built.settings.shutdown_seconds + GRACE_SECONDS))
    process = Process(
        "web", built, broker, api=lambda probe: Api(built, probe), listening=inherited
    )
    sys.setswitchinterval(SWITCH_SECONDS)
    process.start()
    spare_collections()
    log.info("web started", port=built.settings.port)
    return process


def _inherited(arguments: Sequence[str]) -> list[socket.socket]:
    if len(arguments) == 2 and arguments[0] == SOCKET_OPTION:
        return [socket.socket(fileno=int(number)) for number in arguments[1].split(",")]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
