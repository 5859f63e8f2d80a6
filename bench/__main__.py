"""`python -m bench`: roofline, refresher and its peers side by side, on the same servers, in one run.

    python -m bench --connections 20000 --peer-jobs 5000 --latency 0 --runs 3

Writes bench/results.json, and a table and a plot into docs/. Read ratios: everything shares this
machine. The contestants take turns, so that a noisy minute hits all of them; the median counts.
"""

from __future__ import annotations

import argparse
import os
import sys
from statistics import median

from bench import contestants, page
from bench.contestants import ROOFLINE, WAYS, Figures
from bench.refreshes.report import machine
from bench.servers import Servers, started


def main() -> None:
    """Runs what was asked for, prints a line each, and writes the page."""
    given = _options().parse_args()
    wanted = [name for name in contestants.names() if given.only in name]
    if not wanted:
        sys.exit(f'--only "{given.only}" is no part of {", ".join(contestants.names())}')
    about = {**machine(), "latency_seconds": given.latency, "runs": given.runs}
    found: dict[str, list[Figures]] = {name: [] for name in wanted}
    with started(given.latency) as servers:
        os.environ.update(servers.environment())
        for _ in range(given.runs):
            for name in wanted:
                found[name].append(_run(servers, name, given))
    results = {
        "about": about,
        "load_after": machine()["load_before"],
        "contestants": {name: _median(runs) for name, runs in found.items()},
    }
    print(page.side_by_side(results))
    if not given.no_write:
        page.write(results)


def _run(servers: Servers, name: str, given: argparse.Namespace) -> Figures:
    load = machine()["load_before"]
    if name == ROOFLINE:
        figures = contestants.roofline(servers, given.connections)
    elif name in WAYS:
        figures = contestants.refresher(servers, name, given.connections, given.latency)
    else:
        figures = contestants.peer(servers, name, given.peer_jobs)
    told = f"{figures['refreshes_per_second']:8,.0f}/s" if "seconds" in figures else "left out"
    print(f"{name:28} {told}  (load before {load})", file=sys.stderr, flush=True)
    return {**figures, "load_before": load}


def _median(runs: list[Figures]) -> Figures:
    """Returns the run in the middle, with the rates of all of them."""
    measured = [run for run in runs if "seconds" in run]
    if not measured:
        return runs[0]
    rates = [run["refreshes_per_second"] for run in measured]
    middle = min(measured, key=lambda run: abs(run["refreshes_per_second"] - median(rates)))
    found = {**middle, "all_rates": rates}
    if middle.get("units"):
        found["units"] = round(median(run["units"] for run in measured), 2)
    return found


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=20_000, help="for us and the roofline")
    parser.add_argument("--peer-jobs", type=int, default=5_000, help="for each of the slower peers")
    parser.add_argument("--latency", type=float, default=0.0, help="of the provider, in seconds")
    parser.add_argument("--runs", type=int, default=3, help="of each; the median counts")
    parser.add_argument("--only", default="", help="those whose name has this part")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


if __name__ == "__main__":
    main()
