"""The same job for every peer: reload the row, POST to a token endpoint, write the new pair.

Peers store tokens in the clear, fence nothing and write no history; refresher does all three.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import psycopg

READ = "select refresh_token from conn where id = %s"
WRITE = """
    update conn set access_token = %s, refresh_token = %s, expires_at = now() + interval '1 hour',
        due_at = now() + interval '50 minutes', state = 0, version = version + 1 where id = %s
"""
TABLE = """
    drop table if exists conn;
    create table conn (
        id bigint primary key, access_token bytea, refresh_token bytea, expires_at timestamptz,
        due_at timestamptz, state smallint default 0, version bigint default 0, lease timestamptz
    ) with (fillfactor = 80);
    create index on conn (due_at) where state = 0;
"""
FILL = """
    insert into conn (id, access_token, refresh_token, expires_at, due_at)
    select n, decode(repeat('ab', 120), 'hex'), decode(repeat('cd', 64), 'hex'), now(), now()
    from generate_series(1, %s) n
"""

_of_thread = threading.local()
_of_process: dict[str, Any] = {}


def database_url() -> str:
    """Returns the database that the peers share, as libpq reads it."""
    return os.environ["BENCH_DATABASE_URL"]


def redis_url(number: int) -> str:
    """Returns the Redis, with a database number."""
    return f"{os.environ['BENCH_REDIS_URL'].rsplit('/', 1)[0]}/{number}"


def token_url() -> str:
    """Returns the token endpoint."""
    return os.environ["BENCH_TOKEN_URL"]


def seed(rows: int) -> None:
    """Makes so many connections, all due."""
    with psycopg.connect(database_url(), autocommit=True) as db:
        db.execute(TABLE)
        db.execute(FILL, (rows,))
        db.execute("vacuum analyze conn")
        db.execute("checkpoint")


def done(at_least: int) -> int:
    """Returns how many connections were refreshed at least so many times."""
    with psycopg.connect(database_url(), autocommit=True) as db:
        found = db.execute("select count(*) from conn where version >= %s", (at_least,)).fetchone()
        return int(found[0]) if found else 0


def form(refresh_token: bytes) -> dict[str, str]:
    """Returns the request's parameters."""
    return {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token.hex(),
        "client_id": "client",
        "client_secret": "secret",
    }


def refresh(row: int) -> None:
    """Does the job in a thread, with a connection and a client of the thread's own."""
    if not hasattr(_of_thread, "db"):
        import httpx  # noqa: PLC0415  after any fork

        _of_thread.db = psycopg.connect(database_url(), autocommit=True)
        _of_thread.http = httpx.Client()
    (token,) = _of_thread.db.execute(READ, (row,)).fetchone()
    pair = _of_thread.http.post(token_url(), data=form(token)).json()
    new = (pair["access_token"].encode(), pair["refresh_token"].encode(), row)
    _of_thread.db.execute(WRITE, new)


async def refresh_async(row: int) -> None:
    """Does the job on an event loop, with a pool and a client of the process's own."""
    if "http" not in _of_process:
        import aiohttp  # noqa: PLC0415  after any fork
        import psycopg_pool  # noqa: PLC0415

        _of_process["http"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
        pool = psycopg_pool.AsyncConnectionPool(
            database_url(), min_size=4, max_size=20, open=False, kwargs={"autocommit": True}
        )
        _of_process["pool"] = pool
        await pool.open()
    http, pool = _of_process["http"], _of_process["pool"]
    async with pool.connection() as db:
        (token,) = await (await db.execute(READ, (row,))).fetchone()
    async with http.post(token_url(), data=form(token)) as response:
        pair = await response.json()
    new = (pair["access_token"].encode(), pair["refresh_token"].encode(), row)
    async with pool.connection() as db:
        await db.execute(WRITE, new)
