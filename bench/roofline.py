"""The least that any design must do: claim 500, send with a Rust client, commit in batches.

No queue, no seal, no fence, no history, no guard. Two processes, a hundred requests under way in each;
the time begins when both have connected.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from typing import Any

import psycopg
import uvloop

from bench import job

NEEDS = ("pyreqwest", "uvloop")
PROCESSES, UNDER_WAY, MOST = 2, 100, 500
CLAIM = """
    update conn set state = 1, lease = now() + interval '10 minutes' where id in (
        select id from conn where state = 0 and due_at <= now()
        order by due_at limit %s for update skip locked
    ) returning id, refresh_token
"""
COMMIT = """
    update conn c set access_token = u.a, refresh_token = u.r,
        expires_at = now() + interval '1 hour', due_at = now() + interval '50 minutes', state = 0,
        version = version + 1
    from unnest(%s::bigint[], %s::bytea[], %s::bytea[]) u(id, a, r) where c.id = u.id
"""


async def _work(barrier: Any) -> None:
    from pyreqwest.client import ClientBuilder  # noqa: PLC0415  after the fork

    url, places = job.token_url(), asyncio.Semaphore(UNDER_WAY)
    arrived: asyncio.Queue[tuple[int, dict[str, str]] | None] = asyncio.Queue()
    claims = await psycopg.AsyncConnection.connect(job.database_url(), autocommit=True)
    writes = await psycopg.AsyncConnection.connect(job.database_url(), autocommit=True)
    async with ClientBuilder().build() as http:

        async def one(row: int, token: bytes) -> None:
            try:
                reply = await http.post(url).form(job.form(token)).build().send()
                arrived.put_nowait((row, await reply.json()))
            finally:
                places.release()

        await asyncio.to_thread(barrier.wait)
        writer = asyncio.create_task(_write(writes, arrived))
        tasks = set()
        while rows := await (await claims.execute(CLAIM, (MOST,))).fetchall():
            for row, token in rows:
                await places.acquire()
                task = asyncio.create_task(one(row, token))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        arrived.put_nowait(None)
        await writer


async def _write(db: psycopg.AsyncConnection[Any], arrived: asyncio.Queue[Any]) -> None:
    """Commits whatever has arrived since the last commit, in one statement."""
    is_over = False
    while not is_over:
        batch = [await arrived.get()]
        while not arrived.empty() and len(batch) < MOST:
            batch.append(arrived.get_nowait())
        is_over = None in batch
        pairs = [item for item in batch if item is not None]
        if pairs:
            ids = [row for row, _ in pairs]
            access = [pair["access_token"].encode() for _, pair in pairs]
            refresh = [pair["refresh_token"].encode() for _, pair in pairs]
            await db.execute(COMMIT, (ids, access, refresh))


def _run(barrier: Any) -> None:
    uvloop.run(_work(barrier))


def main() -> None:
    """Prints the seconds that the rows of the table took."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(PROCESSES + 1)
    processes = [context.Process(target=_run, args=(barrier,)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    barrier.wait(60)
    began = time.perf_counter()
    for process in processes:
        process.join()
    print(time.perf_counter() - began)
    sys.exit(max(process.exitcode or 0 for process in processes))


if __name__ == "__main__":
    main()
