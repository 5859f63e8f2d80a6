"""How `refresher top` looks: one picture, fit for 80 columns.

Pure: a `TopView` in, something Rich can print out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from refresher.cli.output import plain
from refresher.insight.queue import QueueNow
from refresher.rules.words import amount, many, span
from refresher.store.gauges import MOST_COUNTED, Gauges
from refresher.store.inspection import Activity, ProviderNow, Recent
from refresher.store.workers import ProcessSeen

WIDTH = 80
MOST_PROVIDERS = 8
MOST_PROCESSES = 8
LATE_SECONDS = 30.0
BREAKER_STYLES = {"closed": "green", "waiting": "yellow", "probing": "yellow"}


@dataclass(frozen=True, slots=True)
class TopView:
    """What is shown; `trouble` tells why the picture is an older one."""

    activity: Activity
    queue: QueueNow
    taken_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    trouble: str | None = None

    def stale(self, why: str) -> TopView:
        """Returns the same view, with the reason that there is no newer one."""
        return replace(self, trouble=why)


@dataclass(frozen=True, slots=True)
class Picture:
    """A view as Rich prints it; `more` is a line below it."""

    view: TopView
    more: str = ""

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        """Yields the frame."""
        yield _frame(self.view)
        if self.more:
            yield Text(self.more, style="dim")


def picture(view: TopView) -> Picture:
    """Returns one picture."""
    return Picture(view)


def _frame(view: TopView) -> RenderableType:
    now = view.activity
    parts: list[RenderableType] = [figures(now.gauges, now.recent, view.queue)]
    parts += [Text(), _providers(now.providers), Text(), _processes(now.processes)]
    if view.trouble:
        parts += [Text(), Text(plain(view.trouble), style="bold red")]
    return Panel(
        Group(*parts),
        title="[bold]refresher top[/]",
        title_align="left",
        subtitle=f"[dim]{view.taken_at:%H:%M:%S}Z[/]",
        subtitle_align="right",
        width=WIDTH,
        border_style="cyan",
    )


def figures(now: Gauges, recent: Recent, queue: QueueNow) -> Table:
    """Returns the figures of the work, a line each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", width=9)
    table.add_column(overflow="fold")
    table.add_row("rows", f"{_about(now.idle)} scheduled, {amount(now.leased)} leased")
    table.add_row("overdue", _overdue(now))
    table.add_row("parked", _parked(now))
    table.add_row("tokens", _tokens(now))
    table.add_row("refreshes", _rate(recent))
    table.add_row("lateness", _lateness(recent))
    table.add_row("queue", _queue(queue))
    return table


def _overdue(now: Gauges) -> Text:
    if not now.overdue:
        return Text("nothing", style="green")
    late = now.oldest_overdue_seconds > LATE_SECONDS
    text = f"{amount(now.overdue)}, the first by {span(now.oldest_overdue_seconds)}"
    return Text(text, style="bold red" if late else "green")


def _parked(now: Gauges) -> Text:
    counts = {reason: count for reason, count in now.parked.items() if count}
    if not counts:
        return Text("none")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Text(", ".join(f"{reason} {amount(count)}" for reason, count in ordered), style="yellow")


def _tokens(now: Gauges) -> Text:
    if now.expired_tokens:
        text = f"{now.expired_tokens:,} are dead now and to be refreshed"
        return Text(text, style="bold red")
    if now.least_life_seconds is None:
        return Text("none known")
    return Text(f"none is dead; the next would be in {span(now.least_life_seconds)}")


def _rate(recent: Recent) -> str:
    failed = f", answers without a token: {recent.failed:,}" if recent.failed else ""
    over = span(recent.over_seconds)
    return f"{recent.per_second:,.1f}/s over the last {over} ({recent.refreshed:,}){failed}"


def _lateness(recent: Recent) -> str:
    p50, p99 = recent.lateness_p50_seconds, recent.lateness_p99_seconds
    if p50 is None or p99 is None:
        return "nothing was refreshed"
    return f"p50 {max(0.0, p50):,.2f} s, p99 {max(0.0, p99):,.2f} s"


def _queue(queue: QueueNow) -> Text:
    if queue.trouble:
        return Text(plain(queue.trouble), style="bold red")
    if queue.depth is None:
        return Text("in the scheduler's memory")
    known = queue.depth and queue.oldest_seconds is not None
    waits = f", the first for {span(queue.oldest_seconds or 0.0)}" if known else ""
    return Text(f"{many(queue.depth, 'batch', 'batches')} in {queue.name}{waits}")


def _providers(providers: Sequence[ProviderNow]) -> RenderableType:
    if not providers:
        return Text("No provider has anything in flight, and none is paused.", style="dim")
    table = _table("provider", "in flight", "breaker", "for", "why")
    for p in providers[:MOST_PROVIDERS]:
        left = span(p.left_seconds) if p.left_seconds and p.left_seconds > 0 else ""
        breaker = Text(p.breaker, style=BREAKER_STYLES.get(p.breaker, "bold red"))
        table.add_row(plain(p.provider), f"{p.in_flight:,}", breaker, left, plain(p.reason))
    return _with_rest(table, len(providers) - MOST_PROVIDERS, "providers")


def _processes(processes: Sequence[ProcessSeen]) -> RenderableType:
    if not processes:
        return Text("No process is registered: nothing is being refreshed.", style="bold red")
    table = _table("process", "host", "pid", "lock", "seen")
    for p in processes[:MOST_PROCESSES]:
        lock = Text("alive", style="green") if p.locked else Text("missing", style="bold red")
        seen = f"{span(max(0.0, p.seen_seconds))} ago"
        table.add_row(p.role, plain(p.host), str(p.process_id), lock, seen)
    return _with_rest(table, len(processes) - MOST_PROCESSES, "processes")


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    return table


def _with_rest(table: Table, rest: int, what: str) -> RenderableType:
    return Group(table, Text(f"… and {rest} more {what}", style="dim")) if rest > 0 else table


def _about(count: int) -> str:
    """Returns a count; beyond what is counted it is an estimate."""
    return f"{count:,}" if count < MOST_COUNTED else f"about {count:,}"
