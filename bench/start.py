"""`python -m bench.start`: how long commands take from the shell, whole processes, median of some.

python -m bench.start --runs 15
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg

from bench import page
from bench.refreshes.report import machine
from bench.refreshes.seed import providers_toml, seed
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.cipher import new_key
from refresher.runtime.services import build
from refresher.settings import load
from refresher.store import migrate


def main() -> None:
    """Prints a line a command, or one JSON object; the commands take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-write", action="store_true", help="print only")
    given = parser.parse_args()
    found = measure(given.runs)
    if given.json:
        print(json.dumps(found))
    else:
        for name, (seconds, cpu) in found["commands"].items():  # type: ignore[attr-defined]
            print(f"{name:22} {seconds:6.3f} s, {cpu:6.3f} s of CPU")
        print(f"load before {found['load_before']}, {given.runs} runs")
    if not given.no_write:
        page.keep("start", found)
        page.put("start", table(found, given.runs))


def table(found: dict[str, object], runs: int) -> str:
    """Returns the figures in Markdown."""
    lines = ["| command, from the shell | seconds | of CPU |", "|---|---:|---:|"]
    for name, (seconds, cpu) in found["commands"].items():  # type: ignore[attr-defined]
        lines.append(f"| `refresher {name}` | {seconds:.2f} | {cpu:.2f} |")
    told = f"Medians of {runs}, in turn; load of the machine before: {found['load_before']}."
    return "\n".join([*lines, "", told])


def measure(runs: int) -> dict[str, object]:
    """Returns the median seconds of each command, and of its processor time."""
    before = machine()["load_before"]
    with tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        with EmbeddedPostgres(folder / "postgres") as postgres:
            environment, some_id = _prepare(folder, postgres)
            commands = {
                "connections list": ["connections", "list"],
                "token ID": ["token", some_id],
                "--help": ["--help"],
                "token --help": ["token", "--help"],
            }
            rows = [{n: _run(c, environment) for n, c in commands.items()} for _ in range(runs + 1)]
    kept = rows[1:]  # the first has everything in no cache
    medians = {
        name: [round(median(row[name][i] for row in kept), 3) for i in (0, 1)] for name in commands
    }
    return {"load_before": before, "commands": medians}


def _prepare(folder: Path, postgres: EmbeddedPostgres) -> tuple[dict[str, str], str]:
    file, key = folder / "providers.toml", new_key()
    file.write_text(providers_toml("https://provider.invalid/token"), encoding="utf-8")
    migrate.upgrade(postgres.url, None)
    services = build(
        load(
            database_url=postgres.url,
            encryption_keys=key,
            data_directory=str(folder),
            providers_file=str(file),
        )
    )
    seed(services, 1)
    services.close()
    with psycopg.connect(postgres.plain_url) as db:
        row = db.execute("select id from connection").fetchone()
    ours = {
        "DATABASE_URL": postgres.url,
        "REFRESHER_DATA_DIRECTORY": str(folder),
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_PROVIDERS_FILE": str(file),
    }
    # Installed programs are compiled once, not at each start.
    written = {n: value for n, value in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
    return written | ours, str(row[0] if row else "")


def _run(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    used, began = _children(), time.perf_counter()
    command = [sys.executable, "-m", "refresher", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"refresher {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")
    return time.perf_counter() - began, _children() - used


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
