"""Runs each contestant and returns its figures: roofline, refresher in its ways, the peers.

A peer's time begins with the first job sent and ends with the last row written; its workers have done
some hundred jobs before. refresher's begins when all rows are due: its claim and its sending count.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import job, peers, plain
from bench.servers import OURS, Servers

WARM_UP_JOBS = 400
LIMIT_SECONDS = 180.0
WAYS: dict[str, list[str]] = {
    "refresher, redis": ["--transport", "redis"],
    "refresher, redis, shuffled": ["--transport", "redis", "--order", "shuffled"],
    "refresher, redis, httpx": ["--transport", "redis", "--sender", "httpx"],
    "refresher, in_process": ["--transport", "in_process"],
    "refresher, in_process, two": ["--transport", "in_process", "--processes", "2"],
    "refresher, plain": ["--transport", "redis"],
}
PLAIN = "refresher, plain"
ROOFLINE = "roofline"
Figures = dict[str, Any]


def missing(needs: tuple[str, ...]) -> list[str]:
    """Returns which of these modules are not installed."""
    return [name for name in needs if find_spec(name) is None]


def roofline(servers: Servers, rows: int) -> Figures:
    """Runs the bare loop."""
    servers.fresh("peers")
    job.seed(rows)
    done = _python(["bench.roofline"], servers.environment())
    seconds = float(done.stdout.strip())
    return _figures(job.done(1), rows, seconds)


def refresher(servers: Servers, way: str, connections: int, latency_seconds: float) -> Figures:
    """Runs `python -m bench.refreshes` in one of its ways."""
    servers.fresh(OURS)
    arguments = [*WAYS[way], "--connections", str(connections), "--latency", str(latency_seconds)]
    arguments += ["--database-url", servers.url(OURS), "--json"]
    if "in_process" not in arguments:
        arguments += ["--redis-url", servers.redis_url]
    python, folder = sys.executable, None
    if way == PLAIN:
        folder = servers.folder / "plain"
        python = str(plain.install(folder) if not folder.exists() else plain.python_of(folder))
    done = _python(["bench.refreshes", *arguments], dict(os.environ), python=python, folder=folder)
    found: Figures = json.loads(done.stdout)
    return found


def peer(servers: Servers, name: str, jobs: int) -> Figures:
    """Runs one peer on so many jobs, or tells what it lacks."""
    servers.fresh("peers")
    try:
        module = importlib.import_module(f"bench.peers.{name}")
        lacks = missing(module.NEEDS)
    except ImportError as error:
        lacks = [str(error.name)]
    if lacks:
        return {"missing": lacks}
    job.seed(WARM_UP_JOBS)
    module.prepare()
    log = (servers.folder / f"{name}.log").open("wb")
    workers = [_worker(command, servers, log) for command in module.workers()]
    try:
        module.send(1, WARM_UP_JOBS)
        _until(WARM_UP_JOBS, time.perf_counter())
        job.seed(jobs)
        began = time.perf_counter()
        module.send(1, jobs)
        seconds = _until(jobs, began)
        return _figures(job.done(1), jobs, seconds)
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            servers.leash.release(worker.pid)
        log.close()


def names() -> list[str]:
    """Returns all contestants, in the order in which they run."""
    return [ROOFLINE, *WAYS, *peers.NAMES]


def _until(rows: int, began: float) -> float:
    """Returns the seconds until so many rows were written, or until the limit."""
    while time.perf_counter() - began < LIMIT_SECONDS:
        if job.done(1) >= rows:
            break
        time.sleep(0.05)
    return time.perf_counter() - began


def _worker(command: list[str], servers: Servers, log: Any) -> subprocess.Popen[bytes]:
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=servers.environment(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=0,
    )
    servers.leash.hold(started.pid)
    return started


def _python(
    arguments: list[str],
    environment: dict[str, str],
    *,
    python: str = sys.executable,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [python, "-m", *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.strip():
        sys.exit(f"python -m {' '.join(arguments[:2])} failed: {done.stderr.strip()[-2000:]}")
    return done


def _figures(done: int, wanted: int, seconds: float) -> Figures:
    return {
        "connections": wanted,
        "refreshed": done,
        "refreshes_per_second": round(done / seconds, 1),
        "seconds": round(seconds, 3),
    }
