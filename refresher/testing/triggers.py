"""Kills, freezes or parks a process exactly at a named point of the story (`runtime/checkpoints.py`).

A folder is the wire: the process under test listens, the test arms. One process takes an armed
trigger, whichever gets there first. Never imported by production code: wrap `refresher.actors` in a
module of your own that calls `Triggers(folder).listen()` first (`tests/chaos/actors.py` is one).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point

Action = Literal["kill", "freeze", "park"]
CHECK_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Tripped:
    """Which process took a trigger, the group that it belongs to, and when."""

    process_id: int
    group_id: int
    at: datetime


class Triggers:
    """The triggers in one folder: `arm` on the test's side, `listen` in the process under test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: Point, action: Action = "kill") -> None:
        """Has the next process that reaches `point` killed (-9), frozen (SIGSTOP) or parked.

        A parked thread waits at the point until `let_go`; the process's other threads go on.
        """
        unfinished = self._folder / f".{point}"
        unfinished.write_text(action)
        unfinished.replace(self._folder / point)

    def disarm(self) -> None:
        """Takes back what nobody has taken yet."""
        for armed in self._folder.iterdir():
            if "." not in armed.name:
                armed.unlink(missing_ok=True)

    def taken(self, point: Point) -> Tripped | None:
        """Returns who took the trigger of `point`; None while nobody has."""
        for taken in self._folder.glob(f"{point}.*"):
            _, process_id, group_id = taken.name.split(".")
            changed_at = datetime.fromtimestamp(taken.stat().st_ctime, UTC)
            return Tripped(int(process_id), int(group_id), changed_at)
        return None

    def let_go(self, point: Point) -> None:
        """Forgets who took the trigger of `point`; a parked thread goes on."""
        for taken in self._folder.glob(f"{point}.*"):
            taken.unlink(missing_ok=True)

    def listen(self) -> None:
        """Has this process, and those it forks, look at each point whether something is armed."""
        checkpoints.install(self._reached)

    def _reached(self, point: Point) -> None:
        armed = self._folder / point
        if not armed.exists():
            return
        taken = self._folder / f"{point}.{os.getpid()}.{os.getpgrp()}"
        try:
            armed.rename(taken)
        except FileNotFoundError:
            return  # another process was quicker
        self._act(cast("Action", taken.read_text()), taken)

    def _act(self, action: Action, taken: Path) -> None:
        match action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "freeze":
                # To this very thread: sent to the process, it would go on for a moment.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
            case "park":
                while taken.exists():
                    time.sleep(CHECK_SECONDS)
