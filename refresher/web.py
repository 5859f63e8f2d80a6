"""The web process: `python -m refresher.web` serves HTTP on PORT.

It claims nothing and sends nothing: `/health` and `/health/status` look at the same database as the
scheduler and the workers, so a platform has one public service to watch.
"""

from __future__ import annotations

import signal
import sys
import threading

import structlog

from refresher.errors import RefresherError, SettingsError
from refresher.process import Process
from refresher.wiring import services

log = structlog.get_logger()


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        from refresher.broker import broker  # noqa: PLC0415  a wrong setting ends in its sentence

        process = Process("web", services(), broker)
        if services().settings.port == 0:
            raise SettingsError("PORT is 0, which serves nothing: give the web process a port")
        process.start()
    except RefresherError as error:
        print(f"refresher: {error}", file=sys.stderr)  # noqa: T201  the last word of this process
        return error.exit_code
    log.info("web started", port=services().settings.port)
    while not stop.wait(1.0):
        pass
    process.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
