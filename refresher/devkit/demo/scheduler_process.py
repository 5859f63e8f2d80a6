"""The scheduler as production runs it, `python -m refresher.scheduler`, in a process of its own.

Started, asked to stop, killed; nothing else. What it does is told by the database alone.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from refresher.devkit.demo.plan import DemoFailed
from refresher.runtime.children import Leash

STOP_SECONDS = 45.0
LONGEST_COMPLAINT = 600
UNINTERESTING = {"level", "timestamp"}


class SchedulerProcess:
    """One scheduler at a time; its log goes to a file."""

    def __init__(self, environment: Mapping[str, str], log: Path, leash: Leash) -> None:
        self._environment = environment
        self._log = log
        self._leash = leash
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process that runs now, None while none does."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Starts one; it is ready once it has registered itself in the database."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "refresher.scheduler"],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is meant for the demo, which ends it in its turn
            )
        self._leash.hold(self._process.pid)

    def ask_to_stop(self) -> None:
        """Sends SIGTERM, as a platform does at each deploy."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL: no warning, no last word."""
        self._signal(signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether none runs; after that its number is forgotten."""
        if self._process is not None and self._process.poll() is not None:
            self._leash.release(self._process.pid)
            self._process = None
        return self._process is None

    def demand(self) -> None:
        """Raises `DemoFailed` when it has ended by itself."""
        if self.has_ended():
            raise DemoFailed(f"the scheduler ended by itself: {self._last_words()}")

    def stop(self) -> None:
        """Stops it and waits for that; kills it when it takes too long."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self.has_ended()

    def log_text(self) -> str:
        """Returns everything that it has logged."""
        return self._log.read_text(errors="replace")

    def last_complaint(self) -> str | None:
        """Returns the last warning or error of its log, if any, for when the verdict is bad."""
        for line in reversed(self.log_text().splitlines()):
            if line.startswith("mail "):
                continue  # the console sender's
            try:
                told = json.loads(line)
            except ValueError:
                return line  # not our log format: a traceback at start, or a last word
            if told.get("level") in {"warning", "error"}:
                kept = {name: value for name, value in told.items() if name not in UNINTERESTING}
                return json.dumps(kept)[:LONGEST_COMPLAINT]
        return None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it left no word"
