"""Celery on Redis, eight processes."""

from __future__ import annotations

import redis
from celery import Celery

from bench import job

NEEDS = ("celery", "redis")
app = Celery("bench.peers.celery", broker=job.redis_url(3))
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 50


@app.task(name="refresh")  # type: ignore[untyped-decorator]
def refresh(row: int) -> None:
    """Does the job."""
    job.refresh(row)


def workers() -> list[list[str]]:
    """Returns the worker command."""
    options = ["--concurrency", "8", "--loglevel", "warning", "--without-gossip"]
    return [["celery", "-A", "bench.peers.celery", "worker", *options]]


def prepare() -> None:
    """Empties the queue."""
    redis.Redis.from_url(job.redis_url(3)).flushdb()


def send(first: int, last: int) -> None:
    """Sends one message a row."""
    for row in range(first, last + 1):
        refresh.delay(row)
