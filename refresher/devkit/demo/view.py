"""What the demo's screen shows, taken from the database and from the other side's ledger.

Values only; `screen.py` draws them. Small questions are asked for each frame, the sums over all events
once a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refresher.devkit.demo.interruption import Note, Phase
from refresher.devkit.demo.plan import Plan
from refresher.devkit.demo.provider import Served
from refresher.devkit.demo.stage import Stage
from refresher.store import health, statistics
from refresher.store.health import ScheduleHealth
from refresher.store.statistics import Happening, Lives, Refreshes

CHART_COLUMNS = 60
EVENTS_SHOWN = 4
SUMS_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """One frame."""

    plan: Plan
    lead_share: float
    now_seconds: float
    pid: int | None
    phase: Phase
    lives: Lives
    schedule: ScheduleHealth
    refreshes: Refreshes
    served: Served
    events: Sequence[Happening]
    notes: Sequence[Note]


class Viewer:
    """Takes a look at the stage whenever it is asked to."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._summed_at = -SUMS_EVERY_SECONDS
        self._sums: tuple[Refreshes, Served] | None = None

    def look(self, now_seconds: float, phase: Phase, notes: Sequence[Note]) -> View:
        """Returns what is so at this moment."""
        stage = self._stage
        span = stage.plan.lifetime_seconds
        refreshes, served = self._summed(now_seconds)
        with stage.services.database.transaction() as db:
            return View(
                plan=stage.plan,
                lead_share=stage.services.policy.lead_share,
                now_seconds=now_seconds,
                pid=stage.scheduler.pid,
                phase=phase,
                lives=statistics.lives(db, span_seconds=span, parts=CHART_COLUMNS),
                schedule=health.look(db),
                refreshes=refreshes,
                served=served,
                events=statistics.newest_events(db, limit=EVENTS_SHOWN),
                notes=notes,
            )

    def _summed(self, now_seconds: float) -> tuple[Refreshes, Served]:
        if self._sums is None or now_seconds - self._summed_at >= SUMS_EVERY_SECONDS:
            with self._stage.services.database.transaction() as db:
                refreshes = statistics.refreshes_since(db, self._stage.started_at)
            self._sums, self._summed_at = (refreshes, self._stage.provider.served()), now_seconds
        return self._sums
