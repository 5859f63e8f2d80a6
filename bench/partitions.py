"""One table against partitions: the claim, vacuum, refreshes and sizes, beside each other.

    python -m bench.partitions                              1,000,000 rows, 16 partitions
    python -m bench.partitions --rows 10000000 --folder F   30 GB of disk
    python -m bench.partitions ... --seed-for 200           goes on seeding F for so long, and ends

The rows are stored once, copied as a database, and the copy is partitioned by what `refresher migrate
--partitions` calls. Then both take turns, so that a noisy minute hits both. Writes docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import psycopg

from bench import page
from bench.claim import ROUNDS, Site
from bench.filling import database, fill, for_us, named
from bench.refreshes import statements
from bench.refreshes.report import machine
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.limits import ClaimWindow
from refresher.store import migrate, repartition, table_forms
from refresher.store.pool import Pool

PAGE = page.ROOT / "docs" / "scaling.md"
REFRESHES = 20_000
# What a fiftieth of the table leaves behind when it is refreshed.
_WEAR = """
    update refresh_schedule set due_at = due_at + interval '1 second'
    where connection_id in (select connection_id from refresh_schedule tablesample system (2))
"""


@dataclass(frozen=True, slots=True)
class Form:
    """What was measured of a table, or of its partitions. Sizes are of both tables, in bytes."""

    partitions: int
    claim_ms: float
    claim_buffers: int
    vacuum_seconds: float
    row_bytes: int
    index_bytes: int
    refreshes_per_second: float = 0.0


class Stored(Site):
    """A database that is filled already."""

    def __init__(self, plain_url: str, size: int) -> None:
        self.size, self.due, self.window = size, 0, ClaimWindow()
        self.plain_url = plain_url
        self.database = Pool(for_us(plain_url), statement_timeout_seconds=1_000)

    def vacuum_seconds(self) -> float:
        """Returns how long vacuum takes for what one fiftieth of refreshed rows left: of one part."""
        with psycopg.connect(self.plain_url, autocommit=True) as db:
            db.execute(_WEAR)
            with self.database.transaction() as told:
                first = table_forms.leaves(told, "refresh_schedule")[0].name
            before = time.perf_counter()
            db.execute(f"vacuum (index_cleanup on) {first}".encode())
            took = time.perf_counter() - before
            db.execute("vacuum refresh_schedule")
        return took


def main() -> None:
    """Seeds, spreads a copy, measures both in turn, and writes the table."""
    given = _options().parse_args()
    with ExitStack() as stack:
        folder = given.folder or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True)
        )
        postgres = stack.enter_context(EmbeddedPostgres(Path(folder).resolve() / "postgres"))
        one = named(postgres.plain_url, "one")
        if not _noted(folder).exists():
            database(postgres.plain_url, "one")
            empty = database(postgres.plain_url, "empty")
            if not fill(one, empty, given.rows, time.monotonic() + (given.seed_for or 1e9)):
                return
        many, took = _copied(postgres.plain_url, given.partitions, Path(folder))
        if given.seed_for:
            return
        sites = [Stored(one, given.rows), Stored(many, given.rows)]
        with _without_autovacuum(postgres.plain_url):
            forms = _measure(sites)
        for site in sites:
            site.database.close()
        turns = [[_rate(postgres.plain_url, form.partitions) for form in forms] for _ in range(2)]
        rates = [median(column) for column in zip(*turns, strict=True)]
    forms = [
        replace(form, refreshes_per_second=rate) for form, rate in zip(forms, rates, strict=True)
    ]
    text = table(forms, given.rows, took)
    print(text)
    if not given.no_write:
        told = {"about": machine(), "rows": given.rows, "copy_seconds": took}
        page.keep("partitions", {**told, "forms": [asdict(form) for form in forms]})
        _put(text)


def table(forms: list[Form], rows: int, copy_seconds: float) -> str:
    """Returns the figures in Markdown."""
    one, many = forms
    head = f"| {rows:,} rows | one table | {many.partitions} partitions | ratio |"
    lines = [
        ("claim of 500, p50", "claim_ms", "{:.1f} ms", 1),
        ("the claim's buffers", "claim_buffers", "{:,.0f}", 1),
        ("vacuum of the schedule, or of one of its partitions", "vacuum_seconds", "{:.2f} s", 1),
        (f"refreshes a second ({REFRESHES:,} rows, Redis)", "refreshes_per_second", "{:,.0f}", 1),
        ("rows on disk", "row_bytes", "{:.2f} GB", 1e9),
        ("indexes on disk", "index_bytes", "{:.2f} GB", 1e9),
    ]
    body = []
    for words, name, shown, unit in lines:
        left, right = getattr(one, name) / unit, getattr(many, name) / unit
        body.append(
            f"| {words} | {shown.format(left)} | {shown.format(right)} | {right / left:.2f} |"
        )
    each = copy_seconds / (one.row_bytes + one.index_bytes) * 1e9
    foot = (
        f"Both in turn, {ROUNDS} claims each. `refresher migrate --partitions {many.partitions}` took "
        f"{copy_seconds:,.0f} s: {each:.0f} s for each GB that there was."
    )
    return "\n".join([head, "|---|---:|---:|---:|", *body, "", foot])


def _measure(sites: list[Stored]) -> list[Form]:
    for site in sites:
        site.make_due(ROUNDS + 2)
        site.claim()
    times = [[site.claim() for site in sites] for _ in range(ROUNDS)]
    claims = [median(column) for column in zip(*times, strict=True)]
    print(f"claims: {claims} ms", file=sys.stderr, flush=True)
    vacuums = [[site.vacuum_seconds() for site in sites] for _ in range(3)]
    print(f"vacuum: {vacuums} s", file=sys.stderr, flush=True)
    forms = []
    for n, site in enumerate(sites):
        with site.database.transaction() as db:
            sizes, partitions = table_forms.sizes(db), table_forms.partitions(db)
        site.make_due(2)
        forms.append(
            Form(
                partitions=partitions,
                claim_ms=round(claims[n], 2),
                claim_buffers=site.explained(site.window.since())[0],
                vacuum_seconds=round(median(column[n] for column in vacuums), 3),
                row_bytes=sum(size.row_bytes for size in sizes),
                index_bytes=sum(size.index_bytes for size in sizes),
            )
        )
    print(*forms, sep="\n", file=sys.stderr, flush=True)
    return forms


def _copied(server: str, partitions: int, folder: Path) -> tuple[str, float]:
    """Returns a partitioned copy, made now or before, and how long the change of its form took."""
    url, noted = named(server, "many"), _noted(folder)
    if noted.exists():
        return url, float(noted.read_text())
    with psycopg.connect(server, autocommit=True) as db:
        db.execute("drop database if exists many with (force)")
        db.execute("create database many template one")
    print("copied", file=sys.stderr, flush=True)
    before = time.perf_counter()
    repartition.change(for_us(url), None, partitions, _told)
    took = time.perf_counter() - before
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("vacuum analyze refresh_schedule, connection")
    noted.write_text(f"{took:.1f}")
    return url, took


def _noted(folder: str | Path) -> Path:
    """Returns where the seconds of the change stand once all rows are there in both forms."""
    return Path(folder) / "seconds"


@contextmanager
def _without_autovacuum(server: str) -> Iterator[None]:
    """Keeps it from coming into the middle of a vacuum whose time is taken."""
    with psycopg.connect(server, autocommit=True) as db:
        db.execute("alter system set autovacuum = off")
        db.execute("select pg_reload_conf()")
        try:
            yield
        finally:
            db.execute("alter system reset autovacuum")
            db.execute("select pg_reload_conf()")


def _told(part: float, words: str) -> None:
    print(f"{part:4.0%} {words}", file=sys.stderr, flush=True)


def _rate(server: str, partitions: int) -> float:
    """Returns the refreshes a second of the real processes, on such tables of their own."""
    with psycopg.connect(server, autocommit=True) as db:
        db.execute("drop database if exists rate with (force)")
    url = database(server, "rate")
    with migrate.connection(for_us(url)) as db:
        repartition.spread(db, partitions, lambda _part, _words: None)
        statements.empty(db)  # as a benchmark of refreshes leaves it
    command = [sys.executable, "-m", "bench.refreshes", "--connections", str(REFRESHES)]
    command += ["--database-url", url, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
    rate = float(json.loads(done.stdout)["refreshes_per_second"])
    print(f"{partitions} partitions: {rate:,.0f} refreshes a second", file=sys.stderr, flush=True)
    return rate


def _put(text: str) -> None:
    begin, end = "<!-- partitions:begin -->", "<!-- partitions:end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.partitions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--folder", help="where the data is, and stays")
    parser.add_argument("--seed-for", type=float, help="seconds; then end, to go on another time")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


if __name__ == "__main__":
    main()
