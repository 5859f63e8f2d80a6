"""The coarse jobs of the scheduler process, on APScheduler: each every so often, and sooner when woken.

Never one job for each connection: what is due is in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from refresher.errors import DatabaseUnavailable, RedisUnavailable
from refresher.wiring import Services

THREADS = 16
SHORTEST_WAIT_SECONDS = 0.02


class Ticks:
    """Runs each job on one thread at a time; `failed` is set by a tick that Postgres or Redis ended."""

    def __init__(self, services: Services) -> None:
        self.failed = False
        self._services = services
        self._running: dict[str, threading.Lock] = {}
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
        self._running[name] = running = threading.Lock()
        self._scheduler.add_job(
            lambda: self._run(name, job, running),
            "interval",
            seconds=seconds,
            id=name,
            next_run_time=datetime.now(UTC),
        )

    def start(self) -> None:
        """Starts all of them."""
        self._scheduler.start()

    def stop(self) -> None:
        """Starts no more, and returns when those that run have ended."""
        # Not `wait=True`: APScheduler would wait with the lock in hand that a tick's end asks for.
        self._scheduler.shutdown(wait=False)
        for running in self._running.values():
            with running:
                pass  # whoever comes now sees that we are stopping

    def wake(self, seconds: float, name: str) -> None:
        """Has a job run so soon, if that is before its next time.

        From any thread, the job's own included: a wish during a run is met after it.
        """
        wanted = datetime.now(UTC) + timedelta(seconds=max(SHORTEST_WAIT_SECONDS, seconds))
        job = self._scheduler.get_job(name)
        if job is not None and job.next_run_time is not None and wanted < job.next_run_time:
            with suppress(JobLookupError):  # stopped meanwhile
                self._scheduler.modify_job(name, next_run_time=wanted)

    def _run(self, name: str, job: Callable[[], None], running: threading.Lock) -> None:
        try:
            with running:
                if not self._services.stopping.is_set():
                    began = time.monotonic()
                    job()
                    self._services.meter.ticked(name, time.monotonic() - began)
        except (DatabaseUnavailable, RedisUnavailable) as error:
            self.failed = True
            self._services.meter.tick_failed(name)
            self._services.seldom.warning(
                "a tick failed; again soon", name, tick=name, why=str(error)
            )
        except Exception as error:  # noqa: BLE001  a bug is told, and the next tick still comes
            self._services.meter.tick_failed(name)
            self._services.seldom.exception("a tick failed", error, name, tick=name)
