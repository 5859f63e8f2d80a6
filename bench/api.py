"""How many tokens a second the HTTP API hands out, and how long each takes, at full and at half load.

Real processes: an embedded PostgreSQL, `python -m refresher.web`, and this load generator, all on one
machine. Full load: so many keep-alive connections, each asking again as soon as it has its answer.
Half load: requests sent at half of that rate, at fixed instants; each one's time counts from the
instant at which it was due, so a slow server is not spared the requests that it delays.

Beside each steady load stands the same one on a server that does nothing but answer: what this machine
and the load generator take by themselves. On a shared machine that can be most of it.

    python bench/api.py --connections 10000 --processes 2 --callers 32 --seconds 10 --runs 5
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from bench.servers import provider
from refresher.connections import api_keys, registration
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.rules.access import Actor, Scope
from refresher.rules.registration import read
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.settings import load
from refresher.store import migrate

CHUNK = 1_000


class Caller(asyncio.Protocol):
    """One keep-alive connection: a request out, its whole answer in."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    async def ask(self, request: bytes) -> None:
        """Sends a request, and returns when its answer is whole; any answer but 200 is an error."""
        assert self.transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self._waiting

    def data_received(self, data: bytes) -> None:
        """Takes in what came."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length or self._waiting is None:
            return
        self._buffer = b""
        if head.startswith(b"HTTP/1.1 200") and b'"access_token"' in body:
            self._waiting.set_result(None)
        else:
            self._waiting.set_exception(RuntimeError(f"{head!r} {body!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails what waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the server closed the connection"))


async def full_load(port: int, requests: list[bytes], callers: int, seconds: float) -> list[float]:
    """Returns the time of every request, each caller asking as fast as it is answered."""
    times: list[float] = []
    following, until = cycle(requests), time.perf_counter() + seconds

    async def call() -> None:
        caller = await connect(port)
        while (started := time.perf_counter()) < until:
            await caller.ask(next(following))
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(call() for _ in range(callers)))
    return times


async def steady_load(
    port: int, requests: list[bytes], callers: int, rate: float, seconds: float
) -> list[float]:
    """Returns the time of every request from the instant at which it was due, at a fixed rate."""
    times: list[float] = []
    start, following = time.perf_counter() + 0.1, cycle(requests)

    async def call(first: int) -> None:
        caller = await connect(port)
        for number in range(first, int(rate * seconds), callers):
            due = start + number / rate
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            await caller.ask(next(following))
            times.append(time.perf_counter() - due)

    await asyncio.gather(*(call(number) for number in range(callers)))
    return times


async def connect(port: int) -> Caller:
    """Returns an open connection."""
    _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", port)
    return caller


@contextmanager
def site(given: argparse.Namespace) -> Iterator[tuple[int, list[bytes]]]:
    """Starts everything; returns the port, and the requests to send."""
    with (
        tempfile.TemporaryDirectory(prefix="refresher-bench-") as folder,
        EmbeddedPostgres(Path(folder).resolve() / "postgres") as postgres,
    ):
        environment = {
            "DATABASE_URL": postgres.plain_url,
            "REFRESHER_ENCRYPTION_KEYS": new_key(),
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
            "REFRESHER_API_REQUESTS_PER_SECOND": "1000000",
            "REFRESHER_WEB_PROCESSES": str(given.processes),
            "REFRESHER_LOG_LEVEL": "warning",
            "PORT": str(free_port()),
            "REFRESHER_HOST": "localhost",
        }
        os.environ.update(environment)
        paths, key = seed(given.connections)
        head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
        requests = [f"GET {path} {head}".encode() for path in paths]
        with subprocess.Popen([sys.executable, "-m", "refresher.web"]) as process:
            try:
                await_health(int(environment["PORT"]))
                yield int(environment["PORT"]), requests
            finally:
                process.terminate()


def seed(count: int) -> tuple[list[str], str]:
    """Stores connections with fresh tokens; returns their paths, and a key for their tokens."""
    settings = load()
    migrate.upgrade(settings.database)
    services = wiring.build(settings)
    lines = [
        read(
            {
                "organization_id": f"org-{number % 10}",
                "provider": "google",
                "external_id": str(number),
                "access_token": f"ya29.{'a' * 200}{number}",
                "refresh_token": f"1//{'r' * 100}{number}",
                "expires_in": 3600,
            }
        )
        for number in range(count)
    ]
    for start in range(0, count, CHUNK):
        registration.take(services, lines[start : start + CHUNK])
    with services.database.session() as db:
        db.exec_driver_sql("vacuum analyze")  # else it happens within the measurement
    by = Actor("cli:bench")
    made = api_keys.create(services.database, name="bench", scopes=[Scope.TOKEN], by=by)
    key = made.text.reveal()
    services.close()
    return [f"/v1/connections/{line.id}/token" for line in lines], key


def await_health(port: int) -> None:
    """Returns when the server answers; gives up after 30 seconds."""
    for _ in range(300):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
            return
        time.sleep(0.1)
    sys.exit("the server does not start")


def free_port() -> int:
    """Returns a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Seen:
    """What was seen of each load, run after run."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loads: dict[str, list[tuple[float, float, float]]] = {}

    def take(self, name: str, times: list[float]) -> float:
        """Prints rate and percentiles of one run; returns the rate."""
        ordered = sorted(times)
        p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
        rate = len(times) / self._seconds
        self._loads.setdefault(name, []).append((rate, p50, p99))
        print(f"{name:16}{_told(rate, p50, p99)}", flush=True)
        return rate

    def tell(self) -> None:
        """Prints the median of all runs, and within which bounds their p99 were."""
        for name, runs in self._loads.items():
            rate, p50, p99 = (sorted(column)[len(runs) // 2] for column in zip(*runs, strict=True))
            bounds = f"{min(run[2] for run in runs):.1f} to {max(run[2] for run in runs):.1f}"
            print(f"{name:16}{_told(rate, p50, p99)}   (median of {len(runs)}; p99 {bounds})")


def _told(rate: float, p50: float, p99: float) -> str:
    return f"{rate:7,.0f} requests/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"


def main() -> None:
    """Prints one line a load and run."""
    given = _options().parse_args()
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    seen = Seen(given.seconds)
    with site(given) as (port, requests), provider() as bare:
        asyncio.run(full_load(port, requests, given.callers, 2.0))  # connections, caches, plans
        for _ in range(given.runs):
            _run(given, seen, {"steady": port, "nothing": urlsplit(bare).port or 0}, requests)
    if given.runs > 1:
        seen.tell()


def _run(
    given: argparse.Namespace, seen: Seen, ports: dict[str, int], requests: list[bytes]
) -> None:
    times = asyncio.run(full_load(ports["steady"], requests, given.callers, given.seconds))
    full = seen.take("full load", times)
    for rate in given.rate or (full / 2, 1_000.0):
        for name, port in ports.items():
            steady = steady_load(port, requests, given.callers, rate, given.seconds)
            known_as = f"{name}, half" if rate == full / 2 else name
            seen.take(known_as, asyncio.run(steady))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--callers", type=int, default=32, help="keep-alive connections")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--rate", type=float, action="append", help="steady; default: half of full load, and 1000"
    )
    return parser


if __name__ == "__main__":
    main()
