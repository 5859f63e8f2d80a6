"""`make bench`: everything that writes a table of docs/performance.md or docs/scaling.md, in turn.

Each step is a command of its own, which can be run alone; what one says goes to its log. Read ratios,
on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Step:
    """One command: its module, what it is given, and what it is given with `--quick`."""

    module: str
    full: str
    quick: str

    def command(self, *, quick: bool) -> list[str]:
        """Returns it, with its arguments."""
        return [self.module, *(self.quick if quick else self.full).split()]


STEPS = [
    Step("bench", "--runs 5", "--runs 1 --connections 2000 --peer-jobs 500"),
    Step("bench.claim", "--full", "--sizes 1 --idle-seconds 0"),
    Step("bench.partitions", "--rows 10000000", "--rows 20000 --partitions 4"),
    Step("bench.idle", "", "--settle-seconds 2 --for-seconds 5"),
    Step("bench.start", "--runs 15", "--runs 2"),
    Step("bench.importing", "--lines 1000000", "--lines 5000"),
    Step("bench.watching", "", "--rounds 1"),
    Step("bench.dashboard_cost", "", "--rounds 2 --connections 1000 --dashboards 5"),
]


def main() -> int:
    """Runs all; returns 1 if one failed, whose last lines are printed."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").strip())
    parser.add_argument("--quick", action="store_true", help="small sizes: does all of it work?")
    parser.add_argument("--only", default="", help="those whose name has this part")
    given = parser.parse_args()
    steps = [step for step in STEPS if given.only in step.module]
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns) as progress:
        tasks = [progress.add_task(step.module, start=False, total=1) for step in steps]
        failed = []
        for task, step in zip(tasks, steps, strict=True):
            progress.start_task(task)
            why = _run(step, quick=given.quick)
            progress.update(task, completed=1, description=f"{step.module} {why and 'failed'}")
            if why:
                failed.append(f"python -m {' '.join(step.command(quick=given.quick))}\n{why}")
    for told in failed:
        print(told, file=sys.stderr)
    return 1 if failed else 0


def _run(step: Step, *, quick: bool) -> str:
    """Returns the last lines of a step that failed, nothing of one that did not."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", *step.command(quick=quick)]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
        log.seek(0)
        return "" if done.returncode == 0 else "".join(log.readlines()[-LAST_LINES:])


if __name__ == "__main__":
    sys.exit(main())
