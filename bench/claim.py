"""What the claim costs as the table grows, when nothing is due, and beside a forgotten transaction.

    python -m bench.claim               10 k, 100 k and 1 M scheduled rows
    python -m bench.claim --full        10 M as well: some ten minutes more, and 10 GB of disk

Each size has a database of its own on one server, and they take turns, claim by claim, so that a noisy
minute hits all of them. Every claim is committed and its rows are scheduled anew, as a refresh does, so
the index is as worn as in production. Times are the database round trip, without the commit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import make_url, text

from bench import page
from bench.refreshes.report import machine
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.limits import ClaimWindow
from refresher.store import migrate
from refresher.store.pool import Pool
from refresher.store.schedule import CLAIM_DUE, claim_due
from refresher.store.session import Db

SIZES, LARGEST = (10_000, 100_000, 1_000_000), 10_000_000
CLAIM, ROUNDS = 500, 60
VALUES = {"limit": CLAIM, "lease_seconds": 60.0, "holder_id": UUID(int=1)}
# As far as the import goes, ids grow with time; so do these, whose first 32 bits are a second.
FILL = """
    with new as (
        insert into connection (id, organization_id, provider, external_id, access_token, refresh_token)
        select cast(lpad(to_hex(n / 1000), 8, '0') || right(gen_random_uuid()::text, 28) as uuid),
            'bench', 'bench', n::text, decode(repeat('ab', 153), 'hex'),
            decode(repeat('cd', 97), 'hex')
        from generate_series(%s::int, %s::int) n returning id
    )
    insert into refresh_schedule (connection_id, provider, due_at)
    select id, 'bench', now() + interval '1 day' + random() * interval '50 minutes' from new
"""
# As if 500 had fallen due each second.
DUE = f"""
    update refresh_schedule
    set due_at = now() - random() * %(count)s::float8 / {CLAIM} * interval '1 second'
    where connection_id in (
        select connection_id from refresh_schedule where due_at > now() limit %(count)s)
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


class Site:
    """One database, with so many rows that are due tomorrow."""

    def __init__(self, server: str, size: int) -> None:
        self.size, self.due = size, 0
        self.window = ClaimWindow()
        name = f"claim_{size}"
        with psycopg.connect(server, autocommit=True) as db:
            db.execute(f"create database {name}".encode())  # a name of our own
        url = make_url(server).set(database=name)
        self.plain_url = url.render_as_string(hide_password=False)
        sqlalchemy_url = url.set(drivername="postgresql+psycopg")
        self.database = Pool(
            sqlalchemy_url.render_as_string(hide_password=False), statement_timeout_seconds=1_000
        )
        migrate.upgrade(self.database.url)
        self._fill()

    def _fill(self) -> None:
        """Stores the connections, without the checks that each import has."""
        with psycopg.connect(self.plain_url, autocommit=True) as db:
            db.execute("set session_replication_role = replica")
            db.execute("set synchronous_commit = off")
            for first in range(1, self.size + 1, 500_000):
                db.execute(FILL, (first, min(first + 499_999, self.size)))
            db.execute("vacuum analyze refresh_schedule, connection")

    def make_due(self, claims: int) -> None:
        """Makes rows due for so many claims, at most half of all, and tidies up as autovacuum would."""
        with psycopg.connect(self.plain_url, autocommit=True) as db:
            count = min(claims * CLAIM, self.size // 2)
            self.due = db.execute(DUE, {"count": count}).rowcount
            db.execute("vacuum analyze refresh_schedule")
        self.window.reopen()

    def claim(self) -> float:
        """Claims once and schedules the rows anew; returns the claim's milliseconds."""
        if self.due < 2 * CLAIM:  # one is left for who looks at the plan
            self.make_due(ROUNDS)
        self.due -= CLAIM
        since = self.window.since()
        with self.database.transaction() as db:
            before = time.perf_counter()
            claims = claim_due(db, limit=CLAIM, lease_seconds=60.0, holder_id=uuid4(), since=since)
            milliseconds = (time.perf_counter() - before) * 1000
        if len(claims) != CLAIM:
            sys.exit(f"{len(claims)} rows were due of {CLAIM}, with {self.size:,} scheduled")
        self.window.claimed(since, claims, took_seconds=milliseconds / 1000)
        with self.database.transaction() as db:
            db.execute(RESCHEDULE, {"ids": [claim.connection_id for claim in claims]})
        return milliseconds

    def explained(self, since: datetime | None = None) -> tuple[int, float]:
        """Returns buffers and milliseconds of the claim as Postgres tells; nothing is claimed."""

        def plan(db: Db) -> Any:
            statement = text("explain (analyze, buffers, format json) " + CLAIM_DUE.text)
            return db.execute(statement, {**VALUES, "since": since}).scalar_one()[0]

        with self.database.engine.connect() as db, db.begin() as transaction:
            found = plan(db)
            transaction.rollback()
        top = found["Plan"]
        return top["Shared Hit Blocks"] + top["Shared Read Blocks"], found["Execution Time"]


def main() -> None:
    """Measures all sizes in turn, prints the table and writes it into docs/performance.md."""
    given = _options().parse_args()
    sizes = (*SIZES, LARGEST) if given.full else SIZES[: given.sizes]
    with (
        tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True) as made,
        EmbeddedPostgres(Path(made).resolve() / "postgres") as postgres,
    ):
        sites = []
        for size in sizes:
            sites.append(Site(postgres.plain_url, size))
            print(f"{size:,} rows are there", file=sys.stderr, flush=True)
        costs = _measure(sites, given.idle_seconds)
        for site in sites:
            site.database.close()
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
        f"p50 of {ROUNDS} claims, the sizes in turn. From {first.scheduled:,} to {last.scheduled:,} "
        f"rows the claim takes {last.claim_ms / first.claim_ms:.2f} x as long. The idle session held "
        f"its snapshot for {last.idle_seconds:g} s, with a claim of {CLAIM} rows each second; p50 of "
        "the last third of them."
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


def _measure(sites: Sequence[Site], idle_seconds: float) -> list[Cost]:
    nothing = [site.explained() for site in sites]
    for site in sites:
        site.make_due(ROUNDS + 1)
    claimed = _medians([_in_turn(sites) for _ in range(ROUNDS)])
    buffers = [site.explained(site.window.since())[0] for site in sites]
    beside = _beside_idle(sites, idle_seconds) if idle_seconds else [(None, None)] * len(sites)
    return [
        Cost(
            scheduled=site.size,
            claim_ms=round(claim_ms, 2),
            claim_buffers=claim_buffers,
            nothing_due_buffers=nothing_buffers,
            nothing_due_ms=round(nothing_ms, 3),
            beside_idle_transaction_ms=beside_ms,
            beside_idle_transaction_buffers=beside_buffers,
            idle_seconds=idle_seconds,
        )
        for site, (nothing_buffers, nothing_ms), claim_ms, claim_buffers, (
            beside_ms,
            beside_buffers,
        ) in zip(sites, nothing, claimed, buffers, beside, strict=True)
    ]


def _in_turn(sites: Sequence[Site]) -> list[float]:
    """Claims once at each site, and returns the times."""
    return [site.claim() for site in sites]


def _medians(times: Sequence[Sequence[float]]) -> list[float]:
    """Returns each site's median of several turns."""
    return [median(column) for column in zip(*times, strict=True)]


def _beside_idle(sites: Sequence[Site], seconds: float) -> list[tuple[float | None, int | None]]:
    """Returns a claim's p50 and buffers in the last third of the life of a forgotten transaction.

    At the pace of production: claims in a hurry would meet due times that others have just had.
    """
    rounds = int(seconds)
    for site in sites:
        site.make_due(rounds + 1)
    with ExitStack() as stack:
        forgotten = [stack.enter_context(psycopg.connect(site.plain_url)) for site in sites]
        for transaction in forgotten:
            # A snapshot and an id: nothing that dies from now on may be cleaned away.
            transaction.execute("set transaction isolation level repeatable read")
            transaction.execute("select pg_current_xact_id()")
        times = []
        for _ in range(rounds):
            began = time.monotonic()
            times.append(_in_turn(sites))
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
        late = _medians(times[-max(1, rounds // 3) :])
        buffers = [site.explained(site.window.since())[0] for site in sites]
        for transaction in forgotten:
            transaction.rollback()
    return [(round(ms, 2), found) for ms, found in zip(late, buffers, strict=True)]


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
