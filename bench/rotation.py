"""Changes the encryption key of many connections while they are refreshed and read.

    python -m bench.rotation                    100 k connections
    python -m bench.rotation --connections 5000

PostgreSQL, refreshes (four threads, a provider that answers at once and rotates) and reads (two
threads) share this machine and this process with the rotation. What must come out: no read and no
refresh fails, nothing is parked, and every stored token opens with the new key alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import orjson
from sqlalchemy import text

from bench.refreshes.seed import providers_toml, seed
from refresher.connections.key_rotation import rotate
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SendLimits
from refresher.refresh.dispatch import dispatch_due
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime import services as wiring
from refresher.runtime.cipher import Cipher, new_key, parse_key
from refresher.runtime.services import Services
from refresher.settings import load
from refresher.store import migrate
from refresher.store.sealed import key_uses
from refresher.store.serving import stored

REFRESHERS, READERS, CLAIM = 4, 2, 200
DUE = text(
    "update refresh_schedule set due_at = now() where connection_id in "
    "(select connection_id from refresh_schedule where state = 0 and due_at > now() "
    "order by random() limit 4000 for update skip locked)"
)


class Instant:
    """A provider that answers at once with a pair that was never given before."""

    def __init__(self) -> None:
        self.given = 0

    async def send(self, request: TokenRequest) -> Reply:
        """Returns the next pair."""
        del request
        self.given += 1
        pair = {"access_token": f"a{self.given}" * 12, "refresh_token": f"r{self.given}" * 8}
        return Reply(200, {}, orjson.dumps({**pair, "expires_in": 3600}))

    async def close(self) -> None:
        """Has nothing to close."""


class Load:
    """Threads that refresh and read until `stop` is set, and count what came of it."""

    def __init__(self, services: Services, ids: list[UUID]) -> None:
        self.stop = threading.Event()
        self.refreshes: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.slowest_read = 0.0
        self._services, self._ids = services, ids
        work = [self._refresh] * REFRESHERS + [self._read] * READERS + [self._make_due]
        self._threads = [threading.Thread(target=one) for one in work]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Lets everything under way end."""
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _make_due(self) -> None:
        while not self.stop.wait(0.5):
            with self._services.database.transaction() as db:
                db.execute(DUE)

    def _refresh(self) -> None:
        while not self.stop.is_set():
            claims: list[Claim] = []
            try:
                dispatch_due(
                    self._services,
                    lambda groups, to=claims: to.extend(c for g in groups for c in g),
                )
                self.refreshes.update(refresh(self._services, claims))
            except Exception as error:  # noqa: BLE001  counted, and the run fails
                self.refreshes[f"failed: {type(error).__name__}"] += 1
            if not claims:
                self.stop.wait(0.02)

    def _read(self) -> None:
        while not self.stop.is_set():
            one, started = random.choice(self._ids), time.perf_counter()
            try:
                with self._services.database.transaction() as db:
                    found = stored(db, (one, None))
                assert found is not None
                assert found.access_token is not None
                self._services.cipher.open(found.access_token, one, "access_token")
                self.reads["read"] += 1
            except Exception as error:  # noqa: BLE001  counted, and the run fails
                self.reads[f"failed: {type(error).__name__}"] += 1
            self.slowest_read = max(self.slowest_read, time.perf_counter() - started)
            time.sleep(0.002)


def main() -> None:
    """Seeds, rotates under load, judges; exits with 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=100_000)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True) as made,
        EmbeddedPostgres(Path(made).resolve() / "postgres") as postgres,
    ):
        migrate.upgrade(postgres.url)
        failed = _run(postgres.plain_url, Path(made), given.connections)
    sys.exit(1 if failed else 0)


def _run(url: str, folder: Path, connections: int) -> bool:
    old, new = parse_key(new_key()), parse_key(new_key())
    services = _services(url, folder)
    before = replace(services, cipher=Cipher([old]))
    seed(before, connections)
    with services.database.transaction() as db:
        ids = list(db.execute(text("select id from connection")).scalars())
    # As after the deploy: every process seals with the new key and opens both.
    running = replace(
        services, cipher=Cipher([new, old]), exchange=Exchange(SendLimits(), Instant())
    )
    load = Load(running, ids)
    started = time.perf_counter()
    *_, done = rotate(running.database, running.cipher)
    seconds = time.perf_counter() - started
    load.end()
    with services.database.transaction() as db:
        left = sum(use.values for use in key_uses(db) if use.key_id != running.cipher.key_ids[0])
        parked = db.execute(text("select count(*) from refresh_schedule where state = 2")).scalar()
        broken = _unreadable(Cipher([new]), ids, running)
    failed = sum(
        n for k, n in (load.refreshes + load.reads).items() if k not in {"refreshed", "read"}
    )
    print(f"{connections:,} connections, {done.resealed:,} rows sealed anew in {seconds:.1f} s")
    print(f"passes {done.passes}, complete {done.complete}, still with the old key {left}")
    print(f"refreshes meanwhile {dict(load.refreshes)}, reads {dict(load.reads)}")
    print(f"slowest read {load.slowest_read * 1000:.0f} ms; parked {parked}; unreadable {broken}")
    print(f"failed {failed}")
    running.exchange.close()
    services.close()
    return bool(failed or left or parked or broken or not done.complete)


def _unreadable(alone: Cipher, ids: list[UUID], services: Services) -> int:
    """Returns how many tokens the new key alone does not open."""
    count = 0
    with services.database.transaction() as db:
        rows = db.execute(text("select id, access_token, refresh_token from connection"))
        for row in rows:
            for column in ("access_token", "refresh_token"):
                try:
                    alone.open(bytes(getattr(row, column)), row.id, column)  # type: ignore[arg-type]
                except Exception:  # noqa: BLE001  counted
                    count += 1
    assert ids
    return count


def _services(url: str, folder: Path) -> Services:
    providers = folder / "providers.toml"
    providers.write_text(providers_toml("http://127.0.0.1:9/token"))
    return wiring.build(
        load(
            database_url=url,
            encryption_keys=new_key(),
            providers_file=providers,
            claim_limit=CLAIM,
            data_directory=folder,
            allow_insecure_hosts="loopback",
        )
    )


if __name__ == "__main__":
    main()
