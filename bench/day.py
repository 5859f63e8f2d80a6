"""A day of ten million connections, simulated: when their refreshes fall due, and how a herd spreads.

    python -m bench.day                          the table
    python -m bench.day --plot docs/scaling.png  and a picture of the arrivals (needs matplotlib)
    python -m bench.day --connections 1000000 --rate 2000 --json

The due times are those of `refresher/rules/policy.py`, nothing else of it is modelled: a server that
does `--rate` refreshes a second serves the longest due first. Each simulated connection stands for
many, so the figures are those of a large number; the dice are stable, so each run says the same.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from refresher.catalogue import load
from refresher.rules.policy import Policy, due_in, stable_spread
from refresher.rules.providers import Provider

DAY = 86_400.0
MIX = {3_600.0: 0.70, 7_200.0: 0.15, 1_800.0: 0.05, 86_400.0: 0.05, 5_184_000.0: 0.05}
"""Shares of access token lives: most providers of the catalogue say an hour."""
COLUMNS = (
    "scenario", "due a day", "mean /s", "peak minute /s", "late p50", "late p99", "late max", "expired",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """One scenario's day; rates count refreshes a second, times are in seconds."""

    scenario: str
    refreshes: int
    mean_per_second: float
    peak_minute_per_second: float
    late_p50_seconds: float
    late_p99_seconds: float
    late_max_seconds: float
    expired_share: float
    due_per_minute: list[float]
    done_per_minute: list[float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """How lives are drawn, when the first token of each connection was issued, and what is down."""

    name: str
    life: Callable[[Random], float]
    born_at: Callable[[Random, float], float]
    down: tuple[float, float] | None = None


def _mixed(random: Random) -> float:
    return random.choices(list(MIX), list(MIX.values()))[0]


def _hourly(_random: Random) -> float:
    return 3_600.0


def _any_time(random: Random, life: float) -> float:
    return -random.random() * life * 0.8


def _one_minute(random: Random, _life: float) -> float:
    return -random.random() * 60.0


SCENARIOS = (
    Scenario("mixed lives, issued at any time", _mixed, _any_time),
    Scenario("all hourly, issued at any time", _hourly, _any_time),
    Scenario("all hourly, issued in one minute", _hourly, _one_minute),
    Scenario("all hourly, nothing runs from 6:00 to 8:00", _hourly, _any_time, (21_600, 28_800)),
)


def simulate(scenario: Scenario, connections: int, rate: float, sample: int) -> Figures:
    """Lives through one day; the server is one queue that serves `rate` connections a second."""
    random, policy, provider = Random(1), Policy(), load()["google"]
    stands_for = connections / sample
    ids = [UUID(int=random.getrandbits(128)) for _ in range(sample)]
    lives = [scenario.life(random) for _ in range(sample)]
    queue: list[tuple[float, int, int, float]] = []  # due, connection, version, expiry
    for n in range(sample):
        born = scenario.born_at(random, lives[n])
        queue.append((*_due(policy, provider, ids[n], lives[n], born, 1, n), born + lives[n]))
    heapq.heapify(queue)
    late: list[float] = []
    due_in_minute: Counter[int] = Counter()
    done_in_minute: Counter[int] = Counter()
    free_at, expired = 0.0, 0
    while queue and queue[0][0] < DAY:
        due, n, version, expires_at = heapq.heappop(queue)
        start = max(due, free_at, 0.0)
        if scenario.down and scenario.down[0] <= start < scenario.down[1]:
            start = scenario.down[1]
        free_at = start + stands_for / rate
        late.append(start - max(due, 0.0))
        expired += start > expires_at
        due_in_minute[max(0, int(due / 60))] += 1
        done_in_minute[int(start / 60)] += 1
        again = _due(policy, provider, ids[n], lives[n], start, version + 1, n)
        heapq.heappush(queue, (*again, start + lives[n]))
    return _figures(scenario.name, late, expired, due_in_minute, done_in_minute, stands_for)


def _due(
    policy: Policy, provider: Provider, id_: UUID, life: float, born: float, version: int, n: int
) -> tuple[float, int, int]:
    wait = due_in(policy, provider, life, life, stable_spread(id_, version))
    return born + wait, n, version


def _figures(
    name: str,
    late: list[float],
    expired: int,
    due: Counter[int],
    done: Counter[int],
    stands_for: float,
) -> Figures:
    late.sort()
    minutes = range(int(DAY / 60))
    return Figures(
        scenario=name,
        refreshes=round(len(late) * stands_for),
        mean_per_second=len(late) * stands_for / DAY,
        peak_minute_per_second=max(due.values()) * stands_for / 60,
        late_p50_seconds=late[len(late) // 2],
        late_p99_seconds=late[len(late) * 99 // 100],
        late_max_seconds=late[-1],
        expired_share=expired / len(late),
        due_per_minute=[due[m] * stands_for / 60 for m in minutes],
        done_per_minute=[done[m] * stands_for / 60 for m in minutes],
    )


def table(days: list[Figures]) -> str:
    """Returns the days as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "| --- |" + " ---: |" * (len(COLUMNS) - 1)]
    for day in days:
        cells = (
            day.scenario, f"{day.refreshes / 1e6:,.0f} M", f"{day.mean_per_second:,.0f}",
            f"{day.peak_minute_per_second:,.0f}", _span(day.late_p50_seconds),
            _span(day.late_p99_seconds), _span(day.late_max_seconds), f"{day.expired_share:.2%}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(days: list[Figures], path: Path) -> None:
    """Draws what falls due and what is done in each minute of the day."""
    import matplotlib as mpl  # noqa: PLC0415  optional

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, rows = plt.subplots(len(days), 1, figsize=(9, 2.2 * len(days)), sharex=True)
    hours = [m / 60 for m in range(int(DAY / 60))]
    for axes, day in zip(rows, days, strict=True):
        axes.plot(hours, day.due_per_minute, color="#c44e52", linewidth=0.8, label="fall due")
        axes.plot(hours, day.done_per_minute, color="#4c72b0", linewidth=1.1, label="are done")
        axes.set_title(day.scenario, loc="left", fontsize=9)
        axes.set_ylabel("refreshes/s", fontsize=8)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    rows[0].legend(fontsize=8, frameon=False, loc="upper right")
    rows[-1].set_xlabel("hour of the day", fontsize=8)
    rows[-1].set_xlim(0, 24)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def main() -> None:
    """Simulates what was asked for and prints it."""
    given = _options().parse_args()
    if min(given.connections, given.rate, given.sample) <= 0:
        sys.exit("--connections, --rate and --sample must be greater than 0")
    days = [simulate(s, given.connections, given.rate, given.sample) for s in SCENARIOS]
    if given.plot:
        plot(days, given.plot)
    if given.json:
        print(json.dumps([_slim(day) for day in days], indent=2))
    else:
        print(table(days))


def _slim(day: Figures) -> dict[str, Any]:
    return {k: v for k, v in asdict(day).items() if not k.endswith("_per_minute")}


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=10_000_000)
    parser.add_argument("--rate", type=float, default=7_000.0, help="refreshes a second")
    parser.add_argument("--sample", type=int, default=20_000, help="simulated connections")
    parser.add_argument("--plot", type=Path, metavar="PNG")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    main()
