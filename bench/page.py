"""Writes what was measured: bench/results.json, docs/performance.md between its markers, the plot."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.png"
TITLES = {
    "roofline": "bare loop (no queue, seal, fence or history)",
    "refresher, redis": "**refresher**, Redis",
    "refresher, redis, shuffled": "**refresher**, the same, due in any order, as in production",
    "refresher, redis, httpx": "**refresher**, Redis, httpx chosen",
    "refresher, in_process": "**refresher**, `in_process`, one process",
    "refresher, in_process, two": "**refresher**, `in_process`, two processes",
    "refresher, plain": "**refresher**, Redis, a plain `pip install`",
    "pgqueuer": "pgqueuer",
    "procrastinate": "procrastinate",
    "celery": "Celery + Redis, 8 processes",
    "dramatiq": "Dramatiq, one message a row, threads",
    "dramatiq_async": "Dramatiq, one message a row, async actor",
}


def write(results: dict[str, Any]) -> None:
    """Writes the side-by-side figures everywhere."""
    keep("side_by_side", results)
    put("bench", side_by_side(results))
    if find_spec("matplotlib") is None:
        print("No plot: matplotlib is not installed (bench/requirements.txt).")
    else:
        _plot(results["contestants"])


def keep(name: str, results: dict[str, Any]) -> None:
    """Puts raw figures under a name into bench/results.json."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[name] = results
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def put(marker: str, text: str) -> None:
    """Replaces what stands between two markers of docs/performance.md."""
    page = PAGE.read_text()
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    PAGE.write_text(between.sub(lambda _: f"{begin}\n{text}\n{end}", page))


def side_by_side(results: dict[str, Any]) -> str:
    """Returns the table in Markdown."""
    found = {n: f for n, f in results["contestants"].items() if "refreshes_per_second" in f}
    ours, best = found.get("refresher, redis", {}), found.get("roofline", {})
    lines = [
        "| | of the bare loop | refreshes/s | units | CPU a refresh | refresher is faster by | load |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, figures in found.items():
        share, times = _ratio(figures, best), _ratio(ours, figures)
        cpu = figures.get("cpu_microseconds_per_refresh", {}).get("total")
        short = figures["connections"] - figures["refreshed"]
        cells = [
            TITLES[name] + (f" ({short} not done)" if short else ""),
            f"{share:.0%}" if share else "",
            f"{figures['refreshes_per_second']:,.0f}",
            f"{figures['units']:.1f}" if figures.get("units") else "",
            f"{cpu:,.0f} µs" if cpu else "",
            f"{times:.1f} x" if times and not name.startswith(("ref", "roof")) else "",
            f"{figures.get('load_before', 0):.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", _conditions(results)])


def _ratio(one: dict[str, Any], other: dict[str, Any]) -> float | None:
    """Returns the median of the ratios of each turn: a slow minute meets both."""
    rates, others = one.get("all_rates", []), other.get("all_rates", [])
    if rates and len(rates) == len(others):
        return median(a / b for a, b in zip(rates, others, strict=True))
    if not one or not other:
        return None
    return float(one["refreshes_per_second"] / other["refreshes_per_second"])


def _conditions(results: dict[str, Any]) -> str:
    about = results["about"]
    left_out = [n for n, f in results["contestants"].items() if "missing" in f]
    told = (
        f"{about['cpus']} processors, Python {about['python']}, {about['system']}; provider latency "
        f"{about['latency_seconds']:g} s; the median of {about['runs']}; PostgreSQL with "
        "`synchronous_commit`, `fsync` and `full_page_writes` on. CPU is that of all processes "
        "together, units are the same in the provider's, whose work never changes. Load: "
        "of the machine, before the run in the middle."
    )
    return told + (f" Not installed: {', '.join(left_out)}." if left_out else "")


def _plot(found: dict[str, Any]) -> None:
    import matplotlib as mpl  # noqa: PLC0415  optional

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rates = {n: f["refreshes_per_second"] for n, f in found.items() if "seconds" in f}
    ordered = sorted(rates, key=lambda name: rates[name])
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(ordered) + 1))
    colours = ["#2a9d8f" if n.startswith("refresher") else "#b0b7bf" for n in ordered]
    titles = [re.sub(r"[*`]", "", TITLES[name]) for name in ordered]
    bars = axes.barh(titles, [rates[name] for name in ordered], color=colours)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlabel("refreshes a second, all on one machine")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.tight_layout()
    figure.savefig(PLOT, dpi=120)
