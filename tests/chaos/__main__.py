"""`python -m tests.chaos`: breaks everything, again and again, and prints what came of it.

Faults run beside each other, each on servers of its own. Exit code 1 when a promise was not kept.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests import quick_folder
from tests.chaos import namespaces, table, wire
from tests.chaos.faults import Fault, all_faults
from tests.chaos.ground import Ground
from tests.chaos.row import Bench, Row
from tests.guard import Guard
from tests.ports import LOOPBACK

LANES = 2
"""Faults beside each other: most of a fault is waiting for what is to recover. Three starve two
cores: then 8 s of a grace of 10 s were needed once, and more another time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen faults; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    faults = _possible(_chosen(options), words)
    quick_folder.use()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # What the story says of generated answers and simulated weeks is not for this terminal.
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=silent)
    began = time.monotonic()
    rows = run(faults, options.scale, options.lanes, quiet=options.json)
    minutes = (time.monotonic() - began) / 60
    if options.json:
        print(json.dumps([row.as_json() for row in rows], indent=2))  # noqa: T201  asked for
    else:
        Console().print(table.as_rich(rows))
        Console().print(f"{minutes:.1f} minutes")
    if options.markdown:
        for cuts in (False, True):
            some = [row for row, fault in zip(rows, faults, strict=True) if fault.cuts == cuts]
            if some:
                told = _markdown(some, minutes, words)
                table.write_into(options.markdown, "cables" if cuts else "chaos", told)
    return int(any(row.broken for row in rows))


def _chosen(options: argparse.Namespace) -> list[Fault]:
    names = options.only or [f.name for f in all_faults() if f.cuts == options.network]
    return [fault for fault in all_faults() if fault.name in names]


def _possible(faults: list[Fault], words: Sequence[str]) -> list[Fault]:
    """Returns what can be run here; goes on in a network namespace where that is needed."""
    if not any(fault.cuts for fault in faults):
        return faults
    if namespaces.way_in() is not None or namespaces.is_inside():
        namespaces.go_inside("tests.chaos", words)
        return faults
    print(f"No cable is pulled: {namespaces.WHY_NOT}", file=sys.stderr)  # noqa: T201  for whoever waits
    return [fault for fault in faults if not fault.cuts]


def run(faults: Sequence[Fault], scale: float, lanes: int, *, quiet: bool) -> list[Row]:
    """Runs faults, the longest first, `lanes` at a time; returns their lines in the given order."""
    guard = Guard()
    columns = (
        TextColumn("{task.description:<58}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        with (
            tempfile.TemporaryDirectory(prefix="refresher-chaos-") as folder,
            Progress(*columns, disable=quiet, console=Console(stderr=True)) as progress,
            ThreadPoolExecutor(lanes) as pool,
        ):
            futures = {}
            for fault in sorted(faults, key=lambda f: -f.seconds):
                times = max(1, round(fault.times * scale))
                task = progress.add_task(fault.title, total=times, start=False)
                work = _Work(guard, Path(folder), scale, times)
                start, advance = _reporting(progress, task)
                futures[fault.name] = pool.submit(work, fault, start, advance)
                futures[fault.name].add_done_callback(_telling(progress))
            return [futures[fault.name].result() for fault in faults]
    finally:
        guard.close()


class _Work:
    """Runs one fault on a ground of its own; what goes wrong becomes a line that says so."""

    def __init__(self, guard: Guard, folder: Path, scale: float, times: int) -> None:
        self._guard, self._folder = guard, folder
        self._scale, self._times = scale, times

    def __call__(self, fault: Fault, start: Callable[[], None], advance: Callable[[], None]) -> Row:
        """Returns the fault's line."""
        start()
        try:
            address = wire.SERVERS["data"] if fault.cuts else LOOPBACK
            with Ground(self._guard, self._folder / fault.name, address=address) as ground:
                return fault.run(Bench(ground, fault.title, self._times, self._scale, advance))
        except Exception as error:  # noqa: BLE001  one fault must not take the table down
            said = " ".join(str(error).split())[:300]
            return Row(fault.title, self._times, 0, broken=(f"{type(error).__name__}: {said}",))


def _reporting(progress: Progress, task: object) -> tuple[Callable[[], None], Callable[[], None]]:
    return (
        lambda: progress.start_task(task),  # type: ignore[arg-type]
        lambda: progress.advance(task),  # type: ignore[arg-type]
    )


def _telling(progress: Progress) -> Callable[[Future[Row]], None]:
    """Returns what prints a line for each fault that has ended: also where no bar can be drawn."""

    def tell(ended: Future[Row]) -> None:
        if not ended.cancelled() and not progress.disable:
            row = ended.result()
            progress.console.print(f"{'; '.join(row.broken) or 'ok'}: {row.fault}", markup=False)

    return tell


def _markdown(rows: Sequence[Row], minutes: float, words: Sequence[str]) -> str:
    command = shlex.join(["python", "-m", "tests.chaos", *words])
    told = (
        f"`{command}` on {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"in {minutes:.0f} minutes:"
    )
    return f"{told}\n\n{table.as_markdown(rows)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    names = [fault.name for fault in all_faults()]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--network", action="store_true", help="only what pulls cables (needs root and Linux)"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="how much of the full number of times (default 1)"
    )
    parser.add_argument(
        "--lanes", type=int, default=LANES, help=f"faults beside each other (default {LANES})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the table between FILE's markers"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
