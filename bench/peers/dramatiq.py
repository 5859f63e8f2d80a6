"""Dramatiq on Redis, one message a row, two processes of eight threads."""

from __future__ import annotations

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bench import job

NEEDS = ("dramatiq", "redis")
broker = RedisBroker(url=job.redis_url(1))  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)


@dramatiq.actor
def refresh(row: int) -> None:
    """Does the job."""
    job.refresh(row)


def workers() -> list[list[str]]:
    """Returns the worker command."""
    return [["dramatiq", "bench.peers.dramatiq", "--processes", "2", "--threads", "8"]]


def prepare() -> None:
    """Empties the queue."""
    redis.Redis.from_url(job.redis_url(1)).flushdb()


def send(first: int, last: int) -> None:
    """Sends one message a row."""
    for row in range(first, last + 1):
        refresh.send(row)
