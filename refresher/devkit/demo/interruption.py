"""The restart in the middle: stops the scheduler (or kills it), then starts another at once.

In small steps, so that the view goes on meanwhile. By default it is what a deploy does: SIGTERM,
what is in hand is finished, a new process takes over. With --kill it is SIGKILL: requests that were
under way have unknown outcomes, and the new process presents the same refresh tokens again.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto

from refresher.devkit.demo.plan import DemoFailed, Plan
from refresher.devkit.demo.stage import START_SECONDS, STOP_SECONDS, SchedulerProcess

SETTLE_SECONDS = 4.0
"""A dead process's rows are due again within two seconds; then they are refreshed."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth telling, with its second."""

    at_seconds: float
    text: str


class Phase(Enum):
    """How far the interruption is."""

    AHEAD = auto()
    STOPPING = auto()
    STARTING = auto()
    OVER = auto()


class Interruption:
    """One stop and start of the scheduler."""

    def __init__(self, plan: Plan, scheduler: SchedulerProcess) -> None:
        self._plan = plan
        self._scheduler = scheduler
        self._since = plan.interrupted_after_seconds
        self.phase = Phase.AHEAD
        self.notes: list[Note] = []
        self.away_seconds = 0.0

    @property
    def settled_at_seconds(self) -> float:
        """When a restart's consequences are over: the sweep has made up for what was cut off."""
        return self._since + self.away_seconds + SETTLE_SECONDS

    @property
    def is_under_way(self) -> bool:
        """Whether the scheduler is on its way out or in."""
        return self.phase in {Phase.STOPPING, Phase.STARTING}

    def step(self, now_seconds: float, *, is_registered: bool) -> None:
        """Does what is next; raises `DemoFailed` when the scheduler does not do its part."""
        match self.phase:
            case Phase.AHEAD:
                self._scheduler.demand()
                if now_seconds >= self._plan.interrupted_after_seconds:
                    self._interrupt(now_seconds)
            case Phase.STOPPING:
                self._start_again(now_seconds)
            case Phase.STARTING:
                self._scheduler.demand()
                self._see_it_back(now_seconds, is_registered=is_registered)
            case Phase.OVER:
                self._scheduler.demand()

    def _interrupt(self, now_seconds: float) -> None:
        self._since, self.phase = now_seconds, Phase.STOPPING
        if self._plan.kill:
            self._scheduler.signal(signal.SIGKILL)
            self._note(now_seconds, "scheduler killed with kill -9, whatever it was doing")
        else:
            self._scheduler.signal(signal.SIGTERM)
            self._note(now_seconds, "scheduler stopped with SIGTERM, as a deploy does")

    def _start_again(self, now_seconds: float) -> None:
        if self._scheduler.pid is None:
            self.phase = Phase.STARTING
            self._scheduler.start()
        elif now_seconds - self._since > STOP_SECONDS:
            raise DemoFailed(f"the scheduler did not stop within {STOP_SECONDS:.0f} s")

    def _see_it_back(self, now_seconds: float, *, is_registered: bool) -> None:
        away = now_seconds - self._since
        if is_registered:
            self.away_seconds, self.phase = away, Phase.OVER
            self._note(
                now_seconds, f"started again after {away:.1f} s: due times are rows, nothing slept"
            )
        elif away > START_SECONDS:
            raise DemoFailed(f"the scheduler did not start again within {START_SECONDS:.0f} s")

    def _note(self, at_seconds: float, text: str) -> None:
        self.notes.append(Note(at_seconds, text))
