"""Dramatiq on Redis, one message a row, async actors: two processes of 32 threads and one loop each."""

from __future__ import annotations

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware.asyncio import AsyncIO

from bench import job

NEEDS = ("dramatiq", "redis", "aiohttp", "psycopg_pool")
broker = RedisBroker(url=job.redis_url(2))  # type: ignore[no-untyped-call]
broker.add_middleware(AsyncIO())
dramatiq.set_broker(broker)


@dramatiq.actor
async def refresh(row: int) -> None:
    """Does the job."""
    await job.refresh_async(row)


def workers() -> list[list[str]]:
    """Returns the worker command."""
    return [["dramatiq", "bench.peers.dramatiq_async", "--processes", "2", "--threads", "32"]]


def prepare() -> None:
    """Empties the queue."""
    redis.Redis.from_url(job.redis_url(2)).flushdb()


def send(first: int, last: int) -> None:
    """Sends one message a row."""
    for row in range(first, last + 1):
        refresh.send(row)
