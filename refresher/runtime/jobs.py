"""The coarse jobs of the scheduler process, on APScheduler: each every so often, and sooner when woken.

Never one job for each connection: what is due is in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from refresher.errors import (
    DatabaseNotMigrated,
    DatabaseOlder,
    DatabaseRefusesWrites,
    DatabaseUnavailable,
    RedisUnavailable,
)
from refresher.rules.masking import mask
from refresher.runtime.services import Services

log = structlog.get_logger()
THREADS = 16
SHORTEST_WAIT_SECONDS = 0.02
STOP_SECONDS = 12.0
"""How long a stop waits for the runs that are under way, all together; then it goes on."""
MANY_FAILURES, LONG_SECONDS = 3, 10.0
"""So many failures in a row, over so long, are no hiccup any more."""
LONGEST_REASON = 200


class Carrier(Protocol):
    """How a flow's messages reach its actors (`broker.py`), for a flow that knows no queue."""

    def start(self) -> None:
        """Starts the worker of this process, where it has one."""

    def stop(self, seconds: float) -> bool:
        """Lets that worker finish within the time; returns whether there was one."""

    def lost(self) -> bool:
        """Whether messages were lost since the last look."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A job that fails again and again: how often in a row, for how long by now, and why at last."""

    failures: int
    seconds: float
    reason: str

    def sentence(self, job: str) -> str:
        """Returns it in words."""
        return f"the job {job} failed {self.failures} times in a row: {self.reason}"


@dataclass(slots=True)
class _Job:
    """What is known of one job; `running` is held by its run."""

    running: threading.Lock = field(default_factory=threading.Lock)
    failures: int = 0
    failing_since: float = 0.0
    reason: str = ""
    ended_at: float | None = None

    def failed(self, error: Exception) -> None:
        if self.failures == 0:
            self.failing_since = time.monotonic()
        self.failures, self.reason = self.failures + 1, _reason(error)


class Ticks:
    """Runs each job on one thread at a time; `failed` is set by a tick that Postgres or Redis ended."""

    def __init__(self, services: Services) -> None:
        self.failed = False
        self._services = services
        self._jobs: dict[str, _Job] = {}
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(THREADS)},
            # The default grace of a second would drop a tick that starts late. Two instances: one runs,
            # one waits for its end. With a single one APScheduler drops a run that falls due before the
            # one before it has returned, and the next comes a whole interval later.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 2},
            timezone=UTC,
        )

    def every(self, seconds: float, job: Callable[[], None], name: str) -> None:
        """Has `job` run from the start on, and then every so many seconds."""
        self._jobs[name] = known = _Job()
        self._scheduler.add_job(
            lambda: self._run(name, job, known),
            "interval",
            seconds=seconds,
            id=name,
            next_run_time=datetime.now(UTC),
        )

    def start(self) -> None:
        """Starts all of them."""
        self._scheduler.start()

    def stop(self) -> None:
        """Starts no more, and returns when those that run have ended, or soon if one hangs."""
        # Not `wait=True`: APScheduler would wait with the lock in hand that a tick's end asks for.
        self._scheduler.shutdown(wait=False)
        until = time.monotonic() + STOP_SECONDS
        for name, job in self._jobs.items():
            if job.running.acquire(timeout=max(0.0, until - time.monotonic())):
                job.running.release()  # whoever comes now sees that we are stopping
            else:
                log.warning("a tick does not end; stopping without it", tick=name)

    def troubles(self) -> dict[str, Trouble]:
        """Returns the jobs that fail again and again."""
        now = time.monotonic()
        return {
            name: Trouble(job.failures, round(now - job.failing_since, 1), job.reason)
            for name, job in self._jobs.items()
            if job.failures >= MANY_FAILURES and now - job.failing_since >= LONG_SECONDS
        }

    def ended_at(self, name: str) -> float | None:
        """Returns when the last run of a job ended, well or not, by the monotonic clock."""
        job = self._jobs.get(name)
        return None if job is None else job.ended_at

    def failures(self) -> dict[str, int]:
        """Returns how often each job failed since it last succeeded."""
        return {name: job.failures for name, job in self._jobs.items()}

    def wake(self, seconds: float, name: str) -> None:
        """Has a job run so soon, if that is before its next time.

        From any thread, the job's own included: a wish during a run is met after it.
        """
        wanted = datetime.now(UTC) + timedelta(seconds=max(SHORTEST_WAIT_SECONDS, seconds))
        job = self._scheduler.get_job(name)
        if job is not None and job.next_run_time is not None and wanted < job.next_run_time:
            with suppress(JobLookupError):  # stopped meanwhile
                self._scheduler.modify_job(name, next_run_time=wanted)

    def _run(self, name: str, job: Callable[[], None], known: _Job) -> None:
        try:
            with known.running:
                if not self._services.stopping.is_set():
                    began = time.monotonic()
                    job()
                    self._services.meter.ticked(name, time.monotonic() - began)
                    known.failures = 0
        except (DatabaseUnavailable, RedisUnavailable) as error:
            self.failed = True
            known.failed(error)
            self._services.meter.tick_failed(name)
            self._services.seldom.warning(
                "a tick failed; again soon", name, tick=name, why=str(error)
            )
        except Exception as error:  # noqa: BLE001  a bug is told, and the next tick still comes
            known.failed(error)
            self._services.meter.tick_failed(name)
            self._services.seldom.exception("a tick failed", error, name, tick=name)
        known.ended_at = time.monotonic()


def _reason(error: Exception) -> str:
    """Returns why, without the address and the user of a server, which a sentence about it may have."""
    if isinstance(error, DatabaseOlder):
        return str(error)  # it names no server
    if isinstance(error, DatabaseRefusesWrites):
        return "Postgres takes no writes"
    if isinstance(error, DatabaseUnavailable):
        return "Postgres cannot be used"
    if isinstance(error, DatabaseNotMigrated):
        return "Postgres has other tables than this version needs"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return mask(lines[0])[:LONGEST_REASON]
