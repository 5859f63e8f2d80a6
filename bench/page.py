"""Writes what was measured: bench/results.json, docs/performance.md between its markers, the plot."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.png"
TITLES = {
    "roofline": "bare loop (no queue, seal, fence or history)",
    "refresher, redis": "**refresher**, Redis, pyreqwest",
    "refresher, redis, httpx": "**refresher**, Redis, httpx",
    "refresher, in_process": "**refresher**, `in_process`, one process",
    "pgqueuer": "pgqueuer",
    "procrastinate": "procrastinate",
    "celery": "Celery + Redis, 8 processes",
    "dramatiq": "Dramatiq, one message a row, threads",
    "dramatiq_async": "Dramatiq, one message a row, async actor",
}
TEMPLATE = """\
# Performance

Everything below runs on one machine: provider, PostgreSQL, Redis and workers share its processors. So
read ratios, not absolute figures. Every job is the same: reload the row, POST to a token endpoint,
store the new pair and the next due time. refresher also opens and seals tokens, fences each commit and
writes an event; the others do not.

Make the tables yourself: `pip install -r bench/requirements.txt`, then `make bench`,
`python -m bench.claim` and `python -m bench.watching`. One way of running, with your own
sizes: `python -m bench.refreshes --help`.

## Side by side

<!-- bench:begin -->
<!-- bench:end -->

![Refreshes per second, side by side](performance.png)

## What a claim costs

<!-- claim:begin -->
<!-- claim:end -->

## What events and metrics cost

<!-- watching:begin -->
<!-- watching:end -->

## What open dashboards cost

<!-- dashboards:begin -->
<!-- dashboards:end -->
"""


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
    PAGE.parent.mkdir(exist_ok=True)
    page = PAGE.read_text() if PAGE.exists() else TEMPLATE
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    PAGE.write_text(between.sub(lambda _: f"{begin}\n{text}\n{end}", page))


def side_by_side(results: dict[str, Any]) -> str:
    """Returns the table in Markdown."""
    found = {n: f for n, f in results["contestants"].items() if "refreshes_per_second" in f}
    ours = found.get("refresher, redis", {}).get("refreshes_per_second")
    best = found.get("roofline", {}).get("refreshes_per_second")
    lines = ["| | refreshes/s | of the bare loop | refresher is faster by | CPU a refresh |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name, figures in found.items():
        rate = figures["refreshes_per_second"]
        share = f"{rate / best:.0%}" if best else ""
        times = f"{ours / rate:.1f} x" if ours and not name.startswith(("ref", "roof")) else ""
        cpu = figures.get("cpu_microseconds_per_refresh", {}).get("total")
        used = f"{cpu:,.0f} µs" if cpu else ""
        short = figures["connections"] - figures["refreshed"]
        rest = f" ({short} not done)" if short else ""
        lines.append(f"| {TITLES[name]}{rest} | {rate:,.0f} | {share} | {times} | {used} |")
    return "\n".join([*lines, "", _conditions(results)])


def _conditions(results: dict[str, Any]) -> str:
    about = results["about"]
    left_out = [n for n, f in results["contestants"].items() if "missing" in f]
    told = (
        f"{about['cpus']} processors, Python {about['python']}, {about['system']}; provider latency "
        f"{about['latency_seconds']:g} s; the median of {about['runs']}; PostgreSQL with "
        "`synchronous_commit`, `fsync` and `full_page_writes` on; CPU is that of all processes "
        f"together. Load of the machine before: {about['load_before']}."
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
