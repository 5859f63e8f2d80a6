"""`python -m bench.idle`: what `refresher up` uses while nothing is due.

Processor time of its process and of its Postgres over a window, transactions a second, memory. The
database is one of its own, so that nothing but `up` uses it; a hundred connections are due in an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

from bench import page
from bench.refreshes.processes import Crew
from bench.refreshes.report import machine
from bench.refreshes.seed import providers_toml, seed
from bench.refreshes.usage import cpu_seconds, server_of
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.cipher import new_key
from refresher.runtime.services import build
from refresher.settings import load
from refresher.store import migrate

CONNECTIONS = 100
NUMBERS = (
    "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
)
ANSWERS = "select count(*) from worker where stopped_at is null"
START_SECONDS = 60.0


def main() -> None:
    """Prints a line a figure, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settle-seconds", type=float, default=20.0, help="before the window")
    parser.add_argument("--for-seconds", type=float, default=60.0, help="the window")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-write", action="store_true", help="print only")
    given = parser.parse_args()
    found = measure(given.settle_seconds, given.for_seconds)
    if given.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:34} {value}")
    if not given.no_write:
        page.keep("idle", found)
        page.put("idle", table(found))


def table(found: dict[str, object]) -> str:
    """Returns the figures in Markdown."""
    rows = [
        ("processor of `up`, of one core", f"{found['up_cpu_percent']} %"),
        ("processor of its PostgreSQL", f"{found.get('postgres_cpu_percent', '–')} %"),
        ("transactions a second", found["transactions_per_second"]),
        ("memory of `up`, resident", f"{found['up_resident_megabytes']} MB"),
        ("memory of `up`, its share of what is shared", f"{found['up_proportional_megabytes']} MB"),
    ]
    told = f"Over {found['for_seconds']} s; load of the machine before: {found['load_before']}."
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(["| `refresher up`, nothing due | |", "|---|---:|", *lines, "", told])


def measure(settle_seconds: float, for_seconds: float) -> dict[str, object]:
    """Returns the figures; processor time in per cent of one core, memory in MB."""
    before = machine()["load_before"]
    with tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        crew = Crew(folder)
        try:
            with EmbeddedPostgres(folder / "postgres") as postgres:
                environment = _prepare(folder, postgres.url)
                up = crew.start("up", ["refresher", "up"], environment)
                with psycopg.connect(postgres.plain_url, autocommit=True) as db:
                    _await(crew, db)
                    time.sleep(settle_seconds)
                    server = server_of(db.info.backend_pid)
                    assert up.pid is not None
                    kinds = {"up": up.pid} | ({"postgres": server} if server else {})
                    found = _window(db, kinds, for_seconds)
                crew.stop()
        finally:
            crew.close()
    return {"load_before": before, **found}


def _prepare(folder: Path, url: str) -> dict[str, str]:
    key = new_key()
    migrate.upgrade(url, None)
    file = folder / "providers.toml"
    file.write_text(providers_toml("https://provider.invalid/token"), encoding="utf-8")
    services = build(
        load(
            database_url=url,
            encryption_keys=key,
            data_directory=str(folder),
            providers_file=str(file),
        )
    )
    seed(services, CONNECTIONS)
    services.close()
    ours = {
        "DATABASE_URL": url,
        "REFRESHER_DATA_DIRECTORY": str(folder),
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_PROVIDERS_FILE": str(file),
    }
    dropped = ("REDIS_URL", "REFRESHER_REDIS_URL", "REFRESHER_DATABASE_URL", "PORT")
    return {name: value for name, value in os.environ.items() if name not in dropped} | ours


def _await(crew: Crew, db: psycopg.Connection) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while _number(db, ANSWERS) == 0 and time.monotonic() < give_up_at:
        crew.demand()
        time.sleep(0.1)


def _window(db: psycopg.Connection, kinds: dict[str, int], seconds: float) -> dict[str, object]:
    used, transactions, began = cpu_seconds(kinds), _number(db, NUMBERS), time.monotonic()
    time.sleep(seconds)
    took, done = time.monotonic() - began, _number(db, NUMBERS) - transactions
    per_cent = {
        f"{kind}_cpu_percent": round((total - used[kind]) / took * 100, 2)
        for kind, total in cpu_seconds(kinds).items()
    }
    memory = psutil.Process(kinds["up"]).memory_full_info()
    return {
        **per_cent,
        "transactions_per_second": round(done / took, 1),
        "up_resident_megabytes": round(memory.rss / 1e6, 1),
        "up_proportional_megabytes": round(getattr(memory, "pss", memory.rss) / 1e6, 1),
        "for_seconds": round(took, 1),
    }


def _number(db: psycopg.Connection, statement: str) -> int:
    row = db.execute(statement).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
