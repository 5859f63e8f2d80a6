"""With the transport redis: the worker process, `python -m refresher.worker`, as a child.

Dramatiq ends as a whole when one of its processes dies, so somebody must start it again. In production
that is the platform; here it is this module.
"""

from __future__ import annotations

import os
import subprocess
import sys
from time import monotonic

import structlog

from refresher.runtime.children import Leash

log = structlog.get_logger()
AGAIN_SECONDS = 2.0
GRACE_SECONDS = 10.0


class WorkerProcess:
    """One `dramatiq` command, started again when it ends by itself."""

    def __init__(self, threads: int, stop_seconds: float) -> None:
        self._threads = threads
        self._stop_seconds = stop_seconds + GRACE_SECONDS
        self._leash = Leash()
        self._started_at = 0.0
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The number of the process that runs now."""
        return self._process.pid

    def look_after(self) -> None:
        """Starts it again when it has ended, at most every two seconds."""
        code = self._process.poll()
        if code is None or monotonic() - self._started_at < AGAIN_SECONDS:
            return
        log.warning("the worker process ended; starting it again", exit_code=code)
        self._leash.release(self._process.pid)
        self._process = self._start()

    def stop(self) -> None:
        """Asks it to stop and waits; what it has in hand is finished first."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(self._stop_seconds)
            except subprocess.TimeoutExpired:
                log.warning("the worker process does not stop; ending it")
        self._leash.close()
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "refresher.worker", "--processes", "1"]
        process = subprocess.Popen(  # noqa: S603  this Python, words of ours
            [*command, "--threads", str(self._threads)],
            env=os.environ | {"PORT": "0"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is meant for us, who end it in its turn
        )
        self._leash.hold(process.pid)
        self._started_at = monotonic()
        return process
