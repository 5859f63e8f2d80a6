"""The servers that all runs share: PostgreSQL out of a wheel, Redis, and the token endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.refreshes.redis_server import RedisServer
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.children import Leash

PROVIDER = (sys.executable, "-m", "bench.refreshes.instant_provider")
PEERS, OURS = "peers", "ours"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where things are; `leash` ends what is held when we are gone."""

    folder: Path
    postgres: EmbeddedPostgres
    redis_url: str
    token_url: str
    leash: Leash

    def url(self, database: str) -> str:
        """Returns a database's URL as libpq reads it."""
        return self.postgres.plain_url.replace("/refresher?", f"/{database}?", 1)

    def environment(self) -> dict[str, str]:
        """Returns what the peers' processes are given."""
        return os.environ | {
            "BENCH_DATABASE_URL": self.url(PEERS),
            "BENCH_REDIS_URL": self.redis_url,
            "BENCH_TOKEN_URL": self.token_url,
        }

    def fresh(self, database: str) -> None:
        """Makes a database anew."""
        with psycopg.connect(self.postgres.plain_url, autocommit=True) as db:
            # One of our own two names.
            db.execute(f"drop database if exists {database} with (force)")
            db.execute(f"create database {database}")


@contextmanager
def provider(latency_seconds: float = 0.0, leash: Leash | None = None) -> Iterator[str]:
    """Starts a token endpoint that does nothing but answer; returns its URL."""
    process = subprocess.Popen(
        [*PROVIDER, "--latency-seconds", str(latency_seconds)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if leash is not None:
        leash.hold(process.pid)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def started(latency_seconds: float) -> Iterator[Servers]:
    """Starts all three, and takes them down at the end."""
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made)).resolve()
        leash = Leash()
        stack.callback(leash.close)
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        redis = RedisServer(folder)
        stack.callback(redis.stop)
        leash.hold(redis.pid)
        url = stack.enter_context(provider(latency_seconds, leash))
        servers = Servers(folder, postgres, redis.url, url, leash)
        servers.fresh(PEERS)
        servers.fresh(OURS)
        yield servers
