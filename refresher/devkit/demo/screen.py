"""What the demo shows: looked up in the database and in the other side's ledger, and drawn.

One frame fits 80 columns and 24 lines; below a terminal's dignity there is `progress_line`. Small
questions are asked for each frame, the sums over all events once a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from refresher.devkit.demo.interruption import Note, Phase
from refresher.devkit.demo.plan import Plan
from refresher.devkit.demo.stage import Stage
from refresher.devkit.oauth_server import Summary
from refresher.store import gauges, statistics
from refresher.store.gauges import ScheduleHealth
from refresher.store.statistics import Happening, Lives, Refreshes

CHART_COLUMNS = 60
EVENTS_SHOWN = 4
SUMS_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DemoView:
    """One frame."""

    plan: Plan
    lead_share: float
    now_seconds: float
    pid: int | None
    phase: Phase
    lives: Lives
    schedule: ScheduleHealth
    refreshes: Refreshes
    served: Summary
    events: Sequence[Happening]
    notes: Sequence[Note]


class Viewer:
    """Takes a look at the stage whenever it is asked to."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._summed_at = -SUMS_EVERY_SECONDS
        self._sums: tuple[Refreshes, Summary] | None = None

    def look(self, now_seconds: float, phase: Phase, notes: Sequence[Note]) -> DemoView:
        """Returns what is so at this moment."""
        stage = self._stage
        span = stage.plan.lifetime_seconds
        refreshes, served = self._summed(now_seconds)
        with stage.services.database.transaction() as db:
            return DemoView(
                plan=stage.plan,
                lead_share=stage.services.policy.lead_share,
                now_seconds=now_seconds,
                pid=stage.scheduler.pid,
                phase=phase,
                lives=statistics.lives(db, span_seconds=span, parts=CHART_COLUMNS),
                schedule=gauges.schedule(db),
                refreshes=refreshes,
                served=served,
                events=statistics.newest_events(db, limit=EVENTS_SHOWN),
                notes=notes,
            )

    def _summed(self, now_seconds: float) -> tuple[Refreshes, Summary]:
        if self._sums is None or now_seconds - self._summed_at >= SUMS_EVERY_SECONDS:
            with self._stage.services.database.transaction() as db:
                refreshes = statistics.refreshes_since(db, self._stage.started_at)
            self._sums, self._summed_at = (refreshes, self._stage.provider.summary()), now_seconds
        return self._sums


EIGHTHS = " ▁▂▃▄▅▆▇█"
CHART_LINES = 5
LOG_LINES = 4
NOTES_SHOWN = 3
WIDTH = 80


def frame(view: DemoView) -> RenderableType:
    """Returns one frame."""
    parts: list[RenderableType] = [_headline(view), Text(), _chart(view), Text()]
    parts += [_figures(view), Text(), _log(view)]
    clock = f"{_clock(view.now_seconds)} of {_clock(view.plan.seconds)}"
    return Panel(
        Group(*parts),
        title="[bold]refresher demo[/]",
        title_align="left",
        subtitle=f"[dim]{clock}[/]",
        subtitle_align="right",
        width=WIDTH,
        border_style="cyan",
    )


def progress_line(view: DemoView) -> str:
    """Returns the frame's essence on one line, for a log or a pipe."""
    return (
        f"{_clock(view.now_seconds)}  refreshed {view.refreshes.refreshed} "
        f"({view.refreshes.per_second:.1f}/s), due {view.schedule.overdue}, "
        f"in hand {view.schedule.leased}, {_nearest(view)}, expired {view.lives.expired}"
    )


def _headline(view: DemoView) -> Text:
    plan = view.plan
    strict = (
        f"used again after {plan.grace_seconds:g} s, it ends the grant"
        if plan.grace_seconds
        else "used twice, it ends the grant"
    )
    return Text(
        f"{plan.connections:,} connections are being kept fresh. An access token lives "
        f"{plan.lifetime_seconds:g} s; a refresh token works once: {strict}."
    )


def _chart(view: DemoView) -> Text:
    """Draws how many tokens have how much life left: they drift to the left, and must never arrive."""
    counts = view.lives.counts
    drawn = Text()
    due_columns = round(len(counts) * view.lead_share)
    for number, line in enumerate(_columns(counts, view.plan.connections)):
        drawn.append("tokens     " if number == CHART_LINES - 1 else " " * 11, style="dim")
        drawn.append(line[:due_columns], style="yellow")
        drawn.append(line[due_columns:] + "\n", style="green")
    life = view.plan.lifetime_seconds
    due = f"{life * view.lead_share:g} s: due"
    axis = f"0 s{due:>{due_columns + 4}}"
    axis = axis.ljust(len(counts) - len(f"{life:g} s")) + f"{life:g} s"
    drawn.append(f"life left  {axis}", style="dim")
    return drawn


def _columns(counts: Sequence[int], tokens: int) -> Iterator[str]:
    """Yields the chart's lines from the top; a column is as high as its count, in eighths.

    The scale stays the same: an even spread fills a third of the height, a heap is cut off.
    """
    highest = max(4, 3 * tokens / len(counts))
    eighths = [ceil(count * CHART_LINES * 8 / highest) for count in counts]
    for line in range(CHART_LINES - 1, -1, -1):
        yield "".join(EIGHTHS[max(0, min(8, height - line * 8))] for height in eighths)


def _figures(view: DemoView) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=10)
    table.add_column()
    schedule, refreshes, served = view.schedule, view.refreshes, view.served
    parked = sum(schedule.parked.values())
    fresh = schedule.idle - schedule.overdue
    rows = f"{fresh} fresh   {schedule.overdue} due   {schedule.leased} in hand   "
    table.add_row("rows", Text.assemble(rows, _bad(parked, "parked")))
    table.add_row(
        "refreshed",
        f"{refreshes.refreshed:,}   {refreshes.per_second:.1f} a second   {_late(view)}",
    )
    expired = Text.assemble(f"{_nearest(view)}   ", _bad(view.lives.expired, "expired"))
    table.add_row("tokens", expired)
    twice = served.presented_twice - served.replayed_in_grace
    counted = f"{served.requests:,} requests   {served.issued:,} granted   "
    refused = Text.assemble(
        _bad(sum(served.refused.values()), "refused"), "   ", _bad(twice, "spent twice")
    )
    table.add_row("provider", Text.assemble(counted, refused))
    table.add_row("scheduler", _scheduler(view))
    return table


def _scheduler(view: DemoView) -> Text:
    if view.phase is Phase.STOPPING:
        return Text("stopping", style="yellow")
    if view.phase is Phase.STARTING:
        return Text(f"starting, process {view.pid}", style="yellow")
    return Text(f"running, process {view.pid}")


def _nearest(view: DemoView) -> str:
    left = view.lives.nearest_expiry_seconds
    if left is None:
        return "no token yet"
    return f"nearest expiry in {left:.1f} s" if left >= 0 else f"one expired {-left:.1f} s ago"


def _late(view: DemoView) -> str:
    p50, p99 = view.refreshes.lateness_p50_seconds, view.refreshes.lateness_p99_seconds
    return (
        "" if p50 is None or p99 is None else f"late {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms"
    )


def _log(view: DemoView) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=10)
    table.add_column()
    notes = view.notes[-NOTES_SHOWN:]
    for note in notes:
        table.add_row(_clock(note.at_seconds), Text(note.text, style="bold magenta"))
    for event in view.events[: LOG_LINES - len(notes)]:
        due = f", due again in {event.due_in_seconds:.1f} s" if event.due_in_seconds else ""
        why = f" ({event.reason})" if event.reason else ""
        at = max(0.0, view.now_seconds - event.age_seconds)
        table.add_row(_clock(at), f"{event.external_id} {event.kind}{why}{due}")
    return table


def _bad(count: int, what: str) -> Text:
    return Text(f"{count} {what}", style="bold red" if count else "")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
