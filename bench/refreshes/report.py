"""What came of a benchmark: one JSON object, and the same as a table. Pure but for `machine`."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich import box
from rich.table import Table

from bench.refreshes.plan import Plan
from refresher.outbound.choosing import is_fast


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run; per refresh where the name says so, None where they cannot be had."""

    plan: Plan
    refreshed: int
    finished: bool
    seconds: float
    lateness_seconds: Mapping[str, float | None]
    cpu_microseconds: Mapping[str, float]
    peak_megabytes: Mapping[str, float]
    statements: float | None
    transactions: float | None
    errors: Mapping[str, int]
    database_settings: Mapping[str, str]
    machine: Mapping[str, object]

    @property
    def is_good(self) -> bool:
        """Whether every connection was refreshed once, without any trouble."""
        return self.finished and not self.errors and self.refreshed == self.plan.wanted

    @property
    def refreshes_per_second(self) -> float:
        """Refreshes a second, from the instant at which all were due to the last commit."""
        return self.refreshed / self.seconds

    @property
    def units(self) -> float | None:
        """Processor time of all processes in units of the provider's, whose work never changes."""
        provider = self.cpu_microseconds.get("provider")
        return self.cpu_microseconds["total"] / provider if provider else None

    @property
    def sender(self) -> str:
        """Who sent the requests."""
        return "pyreqwest" if is_fast(self.plan.sender) else "httpx"

    def as_json(self) -> dict[str, object]:
        """Returns the figures as plain values for `--json`."""
        plan = self.plan
        return {
            "connections": plan.connections,
            "refreshed": self.refreshed,
            "refreshes_per_second": round(self.refreshes_per_second, 1),
            "seconds": round(self.seconds, 3),
            "lateness_seconds": {name: _rounded(s) for name, s in self.lateness_seconds.items()},
            "lateness_note": due_told(plan),
            "due_per_second": plan.due_per_second,
            "cpu_microseconds_per_refresh": dict(self.cpu_microseconds),
            "units": _rounded(self.units),
            "peak_memory_megabytes": dict(self.peak_megabytes),
            "statements_per_refresh": _rounded(self.statements),
            "transactions_per_refresh": _rounded(self.transactions),
            "errors": dict(self.errors),
            "order": plan.order,
            "transport": plan.transport,
            "sender": self.sender,
            "latency_seconds": plan.latency_seconds,
            "processes": plan.processes,
            "threads": plan.threads,
            "in_flight": plan.in_flight,
            "database_settings": dict(self.database_settings),
            "machine": dict(self.machine),
        }


def due_told(plan: Plan) -> str:
    """Returns when rows fall due, without which a lateness says nothing."""
    if plan.due_per_second is None:
        return (
            "all rows become due at one instant, so lateness is the time a row stands in the queue"
        )
    return f"{plan.due_per_second:g} of {plan.connections:,} rows become due each second"


def cost_of(cpu_seconds: Mapping[str, float], refreshed: int) -> dict[str, float]:
    """Returns microseconds of processor time a refresh, by kind and in total."""
    each = {kind: round(used / refreshed * 1e6, 1) for kind, used in cpu_seconds.items()}
    return {**each, "total": round(sum(each.values()), 1)}


def machine() -> dict[str, object]:
    """Returns what a figure depends on; a load above zero before the run makes it a noisy one."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def table(report: Report) -> Table:
    """Returns the figures for people."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in _rows(report):
        made.add_row(name, value)
    return made


def _rows(r: Report) -> Iterator[tuple[str, str]]:
    plan, style = r.plan, "bold green" if r.is_good else "bold red"
    yield "refreshes a second", f"[{style}]{r.refreshes_per_second:,.0f}[/]"
    yield "refreshed", f"{r.refreshed:,} of {plan.wanted:,} in {r.seconds:.2f} s"
    late = r.lateness_seconds
    parts = [f"{name} {seconds:.2f} s" for name, seconds in late.items() if seconds is not None]
    yield "lateness", f"{', '.join(parts)} ({due_told(plan)})"
    yield "CPU per refresh", _each(r.cpu_microseconds, "µs", 0)
    if r.units is not None:
        yield "units", f"{r.units:.1f} (CPU of all processes / CPU of the provider)"
    yield "peak memory of a process", _each(r.peak_megabytes, "MB", 0)
    if r.statements is not None and r.transactions is not None:
        per = f"{r.statements:.3f} statements, {r.transactions:.3f} transactions"
        yield "database per refresh", per
    yield "errors", _each(r.errors, "", 0) or "none"
    sizes = f"{plan.processes} x {plan.threads} threads, {plan.in_flight} requests under way each"
    waits = f"provider latency {plan.latency_seconds:g} s"
    how = f"{plan.transport}, order {plan.order}, {r.sender}, {waits}, {sizes}"
    yield "how", how
    settings = r.database_settings
    yield "database", ", ".join(f"{name} {value}" for name, value in settings.items())
    yield "machine", ", ".join(f"{name} {value}" for name, value in r.machine.items())


def _each(figures: Mapping[str, float], unit: str, digits: int) -> str:
    return ", ".join(
        f"{name} {value:,.{digits}f} {unit}".rstrip() for name, value in figures.items()
    )


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
