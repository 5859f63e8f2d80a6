"""pgqueuer on the same PostgreSQL, two processes, batches of a hundred. Run as a module, it works."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta

import asyncpg
import psycopg

from bench import job

NEEDS = ("pgqueuer", "asyncpg", "aiohttp", "psycopg_pool", "uvloop")


def workers() -> list[list[str]]:
    """Returns the worker commands."""
    return [["bench.peers.pgqueuer"], ["bench.peers.pgqueuer"]]


def prepare() -> None:
    """Makes its tables, or empties them."""
    with psycopg.connect(job.database_url(), autocommit=True) as db:
        made = db.execute("select to_regclass('pgqueuer')").fetchone()
        if made and made[0]:
            db.execute("truncate pgqueuer")
            return
    command = [sys.executable, "-m", "pgqueuer", "--pg-dsn", job.database_url(), "install"]
    subprocess.run(command, check=True, capture_output=True)


def send(first: int, last: int) -> None:
    """Sends all jobs in one statement."""
    from pgqueuer.db import AsyncpgDriver  # noqa: PLC0415
    from pgqueuer.queries import Queries  # noqa: PLC0415

    async def enqueue() -> None:
        connection = await asyncpg.connect(job.database_url())
        rows = [str(row).encode() for row in range(first, last + 1)]
        queries = Queries(AsyncpgDriver(connection))
        await queries.enqueue(["refresh"] * len(rows), rows, [0] * len(rows))
        await connection.close()

    asyncio.run(enqueue())


async def work() -> None:
    """Runs one worker."""
    from pgqueuer import PgQueuer  # noqa: PLC0415
    from pgqueuer.db import AsyncpgPoolDriver  # noqa: PLC0415
    from pgqueuer.models import Job  # noqa: PLC0415

    pool = await asyncpg.create_pool(job.database_url(), min_size=4, max_size=20)
    queue = PgQueuer(AsyncpgPoolDriver(pool))

    @queue.entrypoint("refresh")
    async def refresh(message: Job) -> None:
        await job.refresh_async(int(message.payload or b"0"))

    await queue.run(batch_size=100, dequeue_timeout=timedelta(seconds=1))


if __name__ == "__main__":
    import uvloop

    uvloop.run(work())
