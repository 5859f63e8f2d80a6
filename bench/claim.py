"""What the claim costs as the table grows, when nothing is due, and beside a forgotten transaction.

    python -m bench.claim               10 k, 100 k and 1 M scheduled rows
    python -m bench.claim --full        10 M as well: some ten minutes, and 10 GB of disk

Every claim is committed and its rows are scheduled anew, as a refresh does, so the index is as worn as
in production. Times are the database round trip, without the commit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text

from bench import page
from refresher.bench.report import machine
from refresher.embedded import EmbeddedPostgres
from refresher.store import migrate
from refresher.store.schedule import CLAIM_DUE, claim_due
from refresher.store.session import Database, Db
from refresher.watermark import ClaimWindow

SIZES, LARGEST = (10_000, 100_000, 1_000_000), 10_000_000
CLAIM, ROUNDS = 500, 20
VALUES = {"limit": CLAIM, "lease_seconds": 60.0, "holder_id": UUID(int=1)}
FILL = """
    with new as (
        insert into connection (id, organization_id, provider, external_id, access_token, refresh_token)
        select gen_random_uuid(), 'bench', 'bench', n::text, decode(repeat('ab', 153), 'hex'),
            decode(repeat('cd', 97), 'hex')
        from generate_series(%s::int, %s::int) n returning id
    )
    insert into refresh_schedule (connection_id, due_at)
    select id, now() + interval '1 day' + random() * interval '50 minutes' from new
"""
DUE = """
    update refresh_schedule set due_at = now() - random() * interval '1 minute'
    where connection_id in (select connection_id from refresh_schedule limit %s)
"""
RESCHEDULE = text(
    """
    update refresh_schedule set state = 0, lease_until = null, holder_id = null,
        due_at = now() + interval '1 day' + random() * interval '50 minutes'
    where connection_id = any(cast(:ids as uuid[]))
    """
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a claim costs with so many rows in the schedule; buffers are pages of 8 kB."""

    scheduled: int
    claim_ms: float
    claim_buffers: int
    nothing_due_buffers: int
    nothing_due_ms: float
    beside_idle_transaction_ms: float | None
    beside_idle_transaction_buffers: int | None
    idle_seconds: float


def main() -> None:
    """Measures each size, prints the table and writes it into docs/performance.md."""
    given = _options().parse_args()
    costs = []
    with (
        tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True) as made,
        EmbeddedPostgres(Path(made).resolve() / "postgres") as postgres,
    ):
        migrate.upgrade(postgres.url)
        database = Database(postgres.url, statement_timeout_seconds=1_000)
        have = 0
        for size in (*SIZES, LARGEST) if given.full else SIZES[: given.sizes]:
            _grow(postgres.plain_url, have, size)
            have = size
            costs.append(_measure(database, postgres.plain_url, size, given.idle_seconds))
            print(_line(costs[-1]), file=sys.stderr, flush=True)
        database.close()
    print(table(costs))
    if not given.no_write:
        page.keep("claim", {"about": machine(), "costs": [asdict(cost) for cost in costs]})
        page.put("claim", table(costs))


def table(costs: list[Cost]) -> str:
    """Returns the costs in Markdown, with the growth of the first column below it."""
    head = (
        f"| scheduled rows | claim of {CLAIM} due | buffers | nothing due: buffers "
        "| beside a session idle in transaction | buffers |"
    )
    first, last = costs[0], costs[-1]
    foot = (
        f"p50 of {ROUNDS} claims. From {first.scheduled:,} to {last.scheduled:,} rows the claim takes "
        f"{last.claim_ms / first.claim_ms:.2f} x as long. The idle session held its snapshot for "
        f"{last.idle_seconds:g} s, with a claim of {CLAIM} rows each second."
    )
    return "\n".join([head, "|---:|---:|---:|---:|---:|---:|", *map(_line, costs), "", foot])


def _line(cost: Cost) -> str:
    idle = ""
    if cost.beside_idle_transaction_ms is not None:
        ratio = cost.beside_idle_transaction_ms / cost.claim_ms
        idle = f"{cost.beside_idle_transaction_ms:.1f} ms ({ratio:.1f} x)"
    return (
        f"| {cost.scheduled:,} | {cost.claim_ms:.1f} ms | {cost.claim_buffers:,} | "
        f"{cost.nothing_due_buffers} | {idle} | {cost.beside_idle_transaction_buffers or ''} |"
    )


def _measure(database: Database, url: str, size: int, idle_seconds: float) -> Cost:
    nothing_buffers, nothing_ms = _explained(database)
    _make_due(url, CLAIM * ROUNDS)
    window = ClaimWindow()
    claim_ms = median(_claim(database, window) for _ in range(ROUNDS))
    _make_due(url, CLAIM)
    claim_buffers, _ = _explained(database)
    _claim(database, ClaimWindow())
    beside_ms, beside_buffers = _beside_idle(database, url, idle_seconds)
    return Cost(
        scheduled=size,
        claim_ms=round(claim_ms, 2),
        claim_buffers=claim_buffers,
        nothing_due_buffers=nothing_buffers,
        nothing_due_ms=round(nothing_ms, 3),
        beside_idle_transaction_ms=beside_ms,
        beside_idle_transaction_buffers=beside_buffers,
        idle_seconds=idle_seconds,
    )


def _beside_idle(database: Database, url: str, seconds: float) -> tuple[float | None, int | None]:
    """Returns a claim's p50 and buffers at the end of so many seconds of a forgotten transaction."""
    if not seconds:
        return None, None
    rounds = int(seconds)
    _make_due(url, CLAIM * (rounds + 12))
    window = ClaimWindow()  # as a scheduler's: mostly from where the claim before ended
    with psycopg.connect(url) as forgotten:
        # A snapshot and an id: nothing that dies from now on may be cleaned away.
        forgotten.execute("set transaction isolation level repeatable read")
        forgotten.execute("select pg_current_xact_id()")
        for _ in range(rounds):
            began = time.monotonic()
            _claim(database, window)
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
        milliseconds = median(_claim(database, window) for _ in range(10))
        buffers, _ = _explained(database, window.since())
        forgotten.rollback()
    while _claim(database, ClaimWindow()) and _due(url):
        pass
    return round(milliseconds, 2), buffers


def _claim(database: Database, window: ClaimWindow) -> float:
    """Claims once and schedules the rows anew; returns the claim's milliseconds."""
    since = window.since()
    with database.transaction() as db:
        before = time.perf_counter()
        claims = claim_due(db, limit=CLAIM, lease_seconds=60.0, holder_id=uuid4(), since=since)
        milliseconds = (time.perf_counter() - before) * 1000
    window.claimed(since, claims)
    with database.transaction() as db:
        db.execute(RESCHEDULE, {"ids": [claim.connection_id for claim in claims]})
    return milliseconds


def _explained(database: Database, since: datetime | None = None) -> tuple[int, float]:
    """Returns buffers and milliseconds of the claim as Postgres tells them; nothing is claimed."""

    def plan(db: Db) -> Any:
        statement = text("explain (analyze, buffers, format json) " + CLAIM_DUE.text)
        return db.execute(statement, {**VALUES, "since": since}).scalar_one()[0]

    with database.engine.connect() as db, db.begin() as transaction:
        found = plan(db)
        transaction.rollback()
    top = found["Plan"]
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"], found["Execution Time"]


def _due(url: str) -> bool:
    with psycopg.connect(url) as db:
        found = db.execute("select exists (select from refresh_schedule where due_at <= now())")
        return bool((found.fetchone() or [False])[0])


def _make_due(url: str, rows: int) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(DUE, (rows,))
        db.execute("vacuum analyze refresh_schedule")
        db.execute("checkpoint")


def _grow(url: str, have: int, want: int) -> None:
    """Adds connections until there are so many, without the checks that each import has."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set session_replication_role = replica")
        db.execute("set synchronous_commit = off")
        for first in range(have + 1, want + 1, 500_000):
            db.execute(FILL, (first, min(first + 499_999, want)))
        db.execute("vacuum analyze refresh_schedule, connection")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.claim", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--full", action="store_true", help="10 M rows as well")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many, smallest first")
    parser.add_argument("--idle-seconds", type=float, default=60.0, help="0 leaves that part out")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


if __name__ == "__main__":
    main()
