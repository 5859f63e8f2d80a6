"""procrastinate on the same PostgreSQL, two processes, a hundred jobs at a time in each."""

from __future__ import annotations

import asyncio

import procrastinate
import psycopg

from bench import job

NEEDS = ("procrastinate", "aiohttp", "psycopg_pool")
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=job.database_url()))


@app.task(queue="bench", name="refresh")
async def refresh(row: int) -> None:
    """Does the job."""
    await job.refresh_async(row)


def workers() -> list[list[str]]:
    """Returns the worker commands."""
    one = ["procrastinate", "-a", "bench.peers.procrastinate.app", "worker", "-c", "100"]
    return [one, one]


def prepare() -> None:
    """Makes its tables, or empties them."""
    with psycopg.connect(job.database_url(), autocommit=True) as db:
        made = db.execute("select to_regclass('procrastinate_jobs')").fetchone()
        if made and made[0]:
            db.execute("truncate procrastinate_jobs cascade")
            return

    async def make() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    asyncio.run(make())


def send(first: int, last: int) -> None:
    """Sends all jobs in one batch."""

    async def defer() -> None:
        async with app.open_async():
            rows = [{"row": row} for row in range(first, last + 1)]
            await refresh.batch_defer_async(*rows)

    asyncio.run(defer())
