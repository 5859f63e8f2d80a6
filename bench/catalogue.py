"""`python -m bench.catalogue`: what the built-in entries cost a process that starts.

Each figure is the median of fresh processes: importing is not counted, reading is. `--help` is a whole
process, in seconds of CPU.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from statistics import median

ONE = """
import resource, time
from pathlib import Path
from refresher import catalogue
import refresher.runtime.services
def memory(): return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
memory_before, began = memory(), time.process_time()
known = catalogue.load()
loaded = time.process_time()
known["google"]
first = time.process_time()
memory_after = memory()
count = len(known.providers)
print((loaded - began) * 1e3, (first - loaded) * 1e3, (time.process_time() - first) * 1e3,
      (memory_after - memory_before) / 1e6, (memory() - memory_before) / 1e6, count)
"""
NAMES = ("load", "first entry", "all entries", "load and first entry", "with all", "entries")
UNITS = ("ms", "ms", "ms", "MB", "MB", "")


def main() -> None:
    """Prints a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    rows = [[float(word) for word in _out("-c", ONE).split()] for _ in range(runs)]
    for name, unit, *values in zip(NAMES, UNITS, *rows, strict=True):
        print(f"{name:22} {median(values):8.1f} {unit}")
    print(f"{'refresher --help':22} {median(_help() for _ in range(runs)):8.3f} s of CPU")


def _out(*arguments: str) -> str:
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return ran.stdout


def _help() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _out("-m", "refresher", "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
