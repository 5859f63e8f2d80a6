"""How a demo looks: one frame of the live view, fit for 80 columns and 24 lines.

Pure: a `View` in, something Rich can print out. Below a terminal's dignity: `progress_line`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from refresher.demo.interruption import Phase
from refresher.demo.view import View

EIGHTHS = " ▁▂▃▄▅▆▇█"
CHART_LINES = 5
WIDTH = 80
LEAD_SHARE = 0.2


def frame(view: View) -> RenderableType:
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


def progress_line(view: View) -> str:
    """Returns the frame's essence on one line, for a log or a pipe."""
    nearest = view.lives.nearest_expiry_seconds
    return (
        f"{_clock(view.now_seconds)}  refreshed {view.refreshes.refreshed} "
        f"({view.refreshes.per_second:.1f}/s), due {view.schedule.overdue}, "
        f"in hand {view.schedule.leased}, nearest expiry in {nearest or 0:.1f} s, "
        f"expired {view.lives.expired}"
    )


def _headline(view: View) -> Text:
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


def _chart(view: View) -> Text:
    """Draws how many tokens have how much life left: they drift to the left, and must never arrive."""
    counts = view.lives.counts
    drawn = Text()
    due_columns = round(len(counts) * LEAD_SHARE)
    for number, line in enumerate(_columns(counts)):
        drawn.append("tokens     " if number == CHART_LINES - 1 else " " * 11, style="dim")
        drawn.append(line[:due_columns], style="yellow")
        drawn.append(line[due_columns:] + "\n", style="green")
    span = view.plan.lifetime_seconds
    axis = f"0 s{'being refreshed':^{due_columns + 6}}"
    axis = axis.ljust(len(counts) - len(f"{span:g} s")) + f"{span:g} s"
    drawn.append("life left  ", style="dim")
    drawn.append(axis, style="dim")
    return drawn


def _columns(counts: Sequence[int]) -> Iterator[str]:
    """Yields the chart's lines from the top; a column is as high as its count, in eighths."""
    highest = max(8, *counts)
    eighths = [-(-count * CHART_LINES * 8 // highest) for count in counts]
    for line in range(CHART_LINES - 1, -1, -1):
        yield "".join(EIGHTHS[max(0, min(8, height - line * 8))] for height in eighths)


def _figures(view: View) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=10)
    table.add_column()
    schedule, refreshes, served, lives = view.schedule, view.refreshes, view.served, view.lives
    parked = sum(schedule.parked.values())
    fresh = schedule.idle - schedule.overdue
    rows = f"{fresh} fresh   {schedule.overdue} due   {schedule.leased} in hand   "
    table.add_row("rows", Text.assemble(rows, _bad(parked, "parked")))
    table.add_row(
        "refreshed", f"{refreshes.refreshed:,}   {refreshes.per_second:.1f} a second   {_late(view)}"
    )
    nearest = f"nearest expiry in {lives.nearest_expiry_seconds or 0:.1f} s   "
    table.add_row("tokens", Text.assemble(nearest, _bad(lives.expired, "expired")))
    twice = served.presented_twice - served.forgiven
    counted = f"{served.requests:,} requests   {served.issued:,} granted   "
    told = [_bad(served.refused, "refused"), "   ", _bad(twice, "spent twice")]
    table.add_row("provider", Text.assemble(counted, *told))
    table.add_row("scheduler", _scheduler(view))
    return table


def _scheduler(view: View) -> Text:
    if view.phase is Phase.STOPPING:
        return Text("stopping", style="yellow")
    if view.phase is Phase.STARTING:
        return Text(f"starting, process {view.pid}", style="yellow")
    return Text(f"running, process {view.pid}")


def _late(view: View) -> str:
    p50, p99 = view.refreshes.lateness_p50_seconds, view.refreshes.lateness_p99_seconds
    return "" if p50 is None or p99 is None else f"late {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms"


def _log(view: View) -> Text:
    lines = Text()
    for note in view.notes:
        lines.append(f"{_clock(note.at_seconds):<11}", style="dim")
        lines.append(note.text + "\n", style="bold magenta")
    for event in view.events[: 4 - len(view.notes)]:
        due = f", due again in {event.due_in_seconds:.1f} s" if event.due_in_seconds else ""
        why = f" ({event.reason})" if event.reason else ""
        lines.append(f"{event.occurred_at:%H:%M:%S}   ", style="dim")
        lines.append(f"{event.external_id} {event.kind}{why}{due}\n")
    lines.rstrip()
    return lines


def _bad(count: int, what: str) -> Text:
    return Text(f"{count} {what}", style="bold red" if count else "")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
