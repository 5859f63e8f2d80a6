"""What an import costs: lines a second, memory at its peak, and the processor time of both sides.

    python -m bench.importing                      1,000,000 lines
    python -m bench.importing --lines 100000 --runs 3

Each run has a database of its own on a PostgreSQL out of the wheel, and `refresher connections import`
as it is installed, with a file of lines as an application hands them over: a pair of tokens, a life,
scopes, and a note for people.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bench import page
from bench.refreshes import usage
from bench.refreshes.report import machine
from bench.refreshes.seed import NAME, providers_toml
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.cipher import new_key
from refresher.store import migrate

MAIN = "from refresher.cli import main; main()"
COMMAND = (sys.executable, "-c", MAIN, "connections", "import")
HEAD = "| lines | time | lines/s | CPU a line: the command | its PostgreSQL | peak memory |"
ACCESS, REFRESH = "a" * 100, "r" * 40


@dataclass(frozen=True, slots=True)
class Import:
    """One run; processor times are of the command and of its server."""

    lines: int
    seconds: float
    peak_megabytes: float
    command_cpu_seconds: float
    postgres_cpu_seconds: float


def main() -> int:
    """Prints a table and puts it into docs/performance.md."""
    given = _options().parse_args()
    with tempfile.TemporaryDirectory(prefix="refresher-bench-") as made:
        folder = Path(made).resolve()
        folder.chmod(0o755)  # the server's own account must be able to go there, too
        file = folder / "connections.jsonl"
        _write(file, given.lines)
        with EmbeddedPostgres(folder / "postgres") as postgres:
            runs = [_run(postgres, file, given.lines, turn) for turn in range(given.runs)]
    table = as_table(sorted(runs, key=lambda run: run.seconds)[len(runs) // 2], len(runs))
    print(table)
    if not given.no_write:
        page.put("importing", table)
    return 0


def as_table(run: Import, runs: int) -> str:
    """Returns the run in Markdown."""
    about, lines = machine(), run.lines
    ours, theirs = run.command_cpu_seconds / lines * 1e6, run.postgres_cpu_seconds / lines * 1e6
    row = (
        f"| {lines:,} | {run.seconds:.1f} s | {lines / run.seconds:,.0f} | {ours:.0f} µs "
        f"| {theirs:.0f} µs | {run.peak_megabytes:.0f} MB |"
    )
    foot = (
        f"The median of {runs}; {about['cpus']} processors, Python {about['python']}; the time is from "
        "the start of the command to its end, and the memory the command's at its most. Load of the "
        f"machine before: {about['load_before']}."
    )
    return f"{HEAD}\n|---:|---:|---:|---:|---:|---:|\n{row}\n\n{foot}"


def _write(file: Path, lines: int) -> None:
    """Writes the lines; no two have the same tokens, nor does any look like a JWT."""
    with file.open("w", encoding="utf-8") as out:
        for number in range(lines):
            new = {
                "organization_id": f"org-{number % 100}",
                "provider": NAME,
                "external_id": f"account-{number}",
                "access_token": f"{number:012}{ACCESS}",
                "refresh_token": f"{number:012}{REFRESH}",
                "expires_in": 3600,
                "scopes": ["read", "write"],
                "metadata": {"plan": "pro", "seats": number % 50},
            }
            out.write(json.dumps(new) + "\n")


def _run(postgres: EmbeddedPostgres, file: Path, lines: int, turn: int) -> Import:
    """Imports the file once, into a database of its own."""
    environment = _environment(postgres, file.parent, f"import_{turn}")
    kinds = {"postgres": _server(postgres)}
    before, began = usage.cpu_seconds(kinds)["postgres"], time.monotonic()
    with subprocess.Popen(
        [*COMMAND, str(file), "--json"], env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if told["created"] != lines:
        sys.exit(f"not all were imported: {told}")
    cpu = usage.cpu_seconds(kinds)["postgres"] - before
    ours = used.ru_utime + used.ru_stime
    done = Import(lines, seconds, used.ru_maxrss * 1024 / usage.MEGABYTE, ours, cpu)
    print(f"{lines / seconds:,.0f} lines/s", file=sys.stderr, flush=True)
    return done


def _environment(postgres: EmbeddedPostgres, folder: Path, name: str) -> dict[str, str]:
    """Makes a database with its tables; returns what the command is given."""
    with psycopg.connect(postgres.plain_url, autocommit=True) as db:
        db.execute(f"create database {name}".encode())  # a name of our own
    url = make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
    migrate.upgrade(url)
    providers = folder / "providers.toml"
    providers.write_text(providers_toml("http://127.0.0.1:9/token"), encoding="utf-8")
    written = {n: value for n, value in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
    return {
        **written,  # what is installed need not be compiled anew
        "DATABASE_URL": url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_PROVIDERS_FILE": str(providers),
        "REFRESHER_DATA_DIRECTORY": str(folder),
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
    }


def _server(postgres: EmbeddedPostgres) -> int:
    with psycopg.connect(postgres.plain_url) as db:
        found = usage.server_of(db.info.backend_pid)
    assert found is not None
    return found


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.importing", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1, help="the median counts")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
