"""The processes that a benchmark starts: provider, scheduler, workers, as production starts them.

Each leads its own group and hangs on a leash, so that nothing outlives the benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bench.refreshes.plan import BenchFailed, Plan
from refresher.runtime.children import Child, Leash

STOP_SECONDS = 45.0


class Running(Child):
    """One process; its log goes to a file named after it."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        leash: Leash,
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        super().__init__(arguments, leash, environment=environment, log=folder / f"{name}.log")
        self.name = name

    def demand(self) -> None:
        """Raises `BenchFailed` when it has ended by itself."""
        if self.pid is None:
            raise BenchFailed(f"the {self.name} process ended by itself: {self.last_words()}")


class Crew:
    """All processes of a run, stopped in the reverse order of their start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._leash = Leash()
        self.running: dict[str, Running] = {}

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Running:
        """Starts one process under a name."""
        started = Running(name, arguments, self._leash, environment, self._folder)
        started.start()
        self.running[name] = started
        return started

    def hold(self, pid: int) -> None:
        """Puts another process on the leash."""
        self._leash.hold(pid)

    def demand(self) -> None:
        """Raises `BenchFailed` when one has ended by itself."""
        for running in self.running.values():
            running.demand()

    def stop(self) -> None:
        """Stops those that run; the next call finds none."""
        for name in reversed(list(self.running)):
            self.running.pop(name).stop(STOP_SECONDS)

    def close(self) -> None:
        """Stops all, and lets the leash go."""
        self.stop()
        self._leash.close()


def provider_arguments(plan: Plan) -> list[str]:
    """Returns what runs the token endpoint that answers at once, or after the plan's latency."""
    return ["bench.refreshes.instant_provider", "--latency-seconds", f"{plan.latency_seconds:g}"]


def worker_arguments(plan: Plan) -> list[str]:
    """Returns what runs the workers: Dramatiq's own command."""
    sizes = ["--processes", str(plan.processes), "--threads", str(plan.threads)]
    return ["dramatiq", "refresher.actors", *sizes]


def announced_url(provider: Running) -> str | None:
    """Returns where the provider listens, None while it does not yet."""
    line = provider.log_text().partition("\n")[0]
    try:
        return str(json.loads(line)["url"])
    except ValueError:
        return None
