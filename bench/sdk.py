"""What a fresh token costs, and that an expired one costs one exchange, whoever asks.

    python bench/sdk.py --calls 5000 --processes 4 --callers 250

First, side by side through one pool: a select by primary key, `Refresher.token()` in the direct mode,
and concurrent tasks of `fresh_token_async`. Then an expired token, wanted by processes with many
threads each at the same moment: the provider's own ledger tells how many exchanges there were.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from refresher.client import Refresher
from refresher.devkit.oauth_server import FakeProvider
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.runtime.cipher import new_key
from refresher.store import migrate

PROVIDERS = """
[providers.acme]
token_url = "{url}/token"

[apps.acme]
client_id = "fake-client"
client_secret = "fake-secret"
"""


def main() -> None:
    """Prints what was measured."""
    given = _options().parse_args()
    made = tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True)
    with made as name, FakeProvider() as provider:
        folder = Path(name).resolve()
        (folder / "providers.toml").write_text(PROVIDERS.format(url=provider.url))
        with EmbeddedPostgres(folder / "postgres") as postgres:
            settings = {
                "database_url": postgres.url,
                "encryption_keys": new_key(),
                "providers_file": str(folder / "providers.toml"),
            }
            migrate.upgrade(postgres.url)
            _fresh(settings, provider, given)
            _expired(settings, provider, given)


def _fresh(settings: dict[str, Any], provider: FakeProvider, given: argparse.Namespace) -> None:
    with Refresher(**settings) as refresher:
        ids = [_register(refresher, provider, 3600) for _ in range(100)]
        direct: Any = refresher._direct  # noqa: SLF001
        database = direct.services.database
        statement = text("select access_token from connection where id = :id")

        def select(id_: UUID) -> None:
            with database.transaction() as db:
                db.execute(statement, {"id": id_}).one()

        def read(id_: UUID) -> None:
            with database.reading() as db:
                db.execute(statement, {"id": id_}).one()

        ways = {"select": select, "select, no BEGIN": read, "token()": refresher.token}
        turns = [_timed(way, ids, given.calls // 5) for _ in range(5) for way in ways.values()]
        for number, name in enumerate(ways):
            seconds = [s for turn in turns[number :: len(ways)] for s in turn]
            p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
            print(f"{name:18} p50 {p50 * 1e6:5.0f} µs   p99 {p99 * 1e6:5.0f} µs")
        rate = asyncio.run(_tasks(direct.on_demand, ids, given.calls * 4))
        print(f"fresh_token_async, 100 tasks: {rate:,.0f} tokens/s")


def _timed(way: Callable[[UUID], object], ids: list[UUID], calls: int) -> list[float]:
    taken = []
    for number in range(calls):
        started = time.perf_counter()
        way(ids[number % len(ids)])
        taken.append(time.perf_counter() - started)
    return taken


async def _tasks(on_demand: Any, ids: list[UUID], calls: int) -> float:
    async def ask(id_: UUID) -> None:
        for _ in range(calls // len(ids)):
            await on_demand.fresh_token_async(id_)

    started = time.perf_counter()
    await asyncio.gather(*[ask(id_) for id_ in ids])
    return calls / (time.perf_counter() - started)


def _expired(settings: dict[str, Any], provider: FakeProvider, given: argparse.Namespace) -> None:
    provider.admin.change_options(latency_seconds=0.2)
    with Refresher(**settings) as refresher:
        id_ = _register(refresher, provider, 0)
    before = provider.admin.summary().requests
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(given.processes), context.Queue()
    processes = [
        context.Process(target=_ask, args=(settings, id_, given.callers, barrier, told))
        for _ in range(given.processes)
    ]
    for process in processes:
        process.start()
    found = [told.get(timeout=100) for _ in processes]
    for process in processes:
        process.join()
    tokens = {name for names, _ in found for name in names}
    print(
        f"{given.processes} processes × {given.callers} threads on an expired token: "
        f"{provider.admin.summary().requests - before} exchange, {len(tokens)} token, "
        f"the last served after {max(seconds for _, seconds in found):.2f} s (provider: 0.2 s)"
    )


def _ask(settings: dict[str, Any], id_: UUID, callers: int, barrier: Barrier, told: Any) -> None:
    with Refresher(**settings) as refresher, ThreadPoolExecutor(callers) as threads:
        barrier.wait()
        started = time.perf_counter()
        asked = [threads.submit(refresher.token, id_) for _ in range(callers)]
        names = {each.result().fingerprint for each in asked}
        told.put((names, time.perf_counter() - started))


def _register(refresher: Refresher, provider: FakeProvider, expires_in: float) -> UUID:
    grant = provider.admin.create_grants(1)[0]
    return refresher.register(
        organization_id="org",
        provider="acme",
        external_id=grant.external_id,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in=expires_in,
    ).id


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--calls", type=int, default=5_000, help="of each way, in five turns")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--callers", type=int, default=250, help="threads of each process")
    return parser


if __name__ == "__main__":
    main()
