"""Knows how this process is: what `runtime/serving/server.py` shows of it.

`/health` answers 500 when a restart may help: this process's own ticks have stopped although Postgres
answers. Postgres or Redis being away is no reason to restart us, and is told in `/health/status`; so is
a job that fails again and again. Neither page waits for a server that hangs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import dramatiq

from refresher import __version__
from refresher.errors import (
    DatabaseNotMigrated,
    DatabaseRefusesWrites,
    DatabaseUnavailable,
    RefresherError,
)
from refresher.rules.changes import announced
from refresher.runtime.deadlines import Look
from refresher.runtime.jobs import Trouble
from refresher.runtime.metrics import QueueSeen
from refresher.runtime.neighbours import Neighbours
from refresher.runtime.services import Services
from refresher.settings import Flow
from refresher.store import gauges, inspection
from refresher.store.pool import DatabaseError
from refresher.store.session import Db

ANSWERED_WITHIN_SECONDS = 10.0
"""Postgres answers, as far as a restart goes, when it took a note of our heartbeat so lately."""
AWAY = "Postgres cannot be used; the log tells why"
NOT_MIGRATED = "Postgres has other tables than this version needs; the log tells which"
SILENT = "Postgres does not answer"
SILENT_BROKER = "what carries messages does not answer"
NO_WRITES = (
    "Postgres takes no writes: it is read-only, or a permission is gone; the log tells which"
)
Told = dict[str, object]


class Probe:
    """Knows how this process is. What it asks is set by whoever has it.

    `registered` and `answered_at` (monotonic) are the heartbeat's, which has a session of its own: what
    it knows needs no waiting. `tick_ended_at` tells when the last tick ended,
    well or not; `job_failures` counts each job's failures in a row, and `troubles`
    are the jobs that fail again and again.
    """

    def __init__(self, role: str, services: Services, broker: dramatiq.Broker | None) -> None:
        self.role = role
        self.idle = False
        self.registered: Callable[[], bool] | None = None
        self.answered_at: Callable[[], float] | None = None
        self.tick_ended_at: Callable[[], float | None] = lambda: None
        self.job_failures: Callable[[], Mapping[str, int]] = dict
        self.troubles: Callable[[], Mapping[str, Trouble]] = dict
        self._services = services
        self._broker = broker
        self._started_at = time.monotonic()
        self._ticked_at: float | None = None
        self._database_look = Look(self._database)
        self._queue_look = Look(self._depths)
        self.neighbours: Neighbours | None = None
        self._met_lately: tuple[list[str], list[str]] = ([], [])

    def ticked(self) -> None:
        """Notes a finished tick."""
        self._ticked_at = time.monotonic()

    @property
    def tick_age_seconds(self) -> float | None:
        """Seconds since the last finished tick (or the start), None where nothing ticks."""
        if self.role != "scheduler" or self.idle:
            return None
        return time.monotonic() - (self._ticked_at or self._started_at)

    def faults(self) -> list[str]:
        """Returns why this process should be restarted; nothing when it is well."""
        limit = max(30.0, self._services.settings.tick_seconds * 10)
        if self.tick_age_seconds is None or not self._database_answers():
            return []
        # Since one ended at all: a new process would fail at what this one fails at.
        age = time.monotonic() - (self.tick_ended_at() or self._started_at)
        if age > limit:
            return [f"no tick for {age:.0f} s although the database answers"]
        return []

    def _database_answers(self) -> bool:
        """Whether Postgres takes what we write at this moment, by our heartbeat."""
        if self.answered_at is None:
            return False
        return time.monotonic() - self.answered_at() < ANSWERED_WITHIN_SECONDS

    def status(self) -> dict[str, object]:
        """Returns everything worth knowing, as plain values without a secret; never waits for long."""
        troubles = self.troubles()
        database = self._database_look() or {"database": {"ok": False, "error": SILENT}}
        depths = self._queue_look() or {}
        others, copies = self._met_lately
        faults = [
            *self.faults(),
            *(trouble.sentence(name) for name, trouble in troubles.items()),
            *copies,
        ]
        return {
            "role": self.role,
            "version": __version__,
            "ok": not faults,
            "faults": faults,
            "uptime_seconds": round(time.monotonic() - self._started_at, 1),
            "tick_age_seconds": self.tick_age_seconds and round(self.tick_age_seconds, 3),
            "ticks": {name: asdict(trouble) for name, trouble in troubles.items()},
            "registered": self.registered() if self.registered else False,
            "database": database["database"],
            "writes": database.get("writes", {"ok": False, "error": SILENT}),
            "spool": depths.get("spool", {}),
            "queue": self._flow("integration_refresh", depths),
            "redis": {"others": others, "copies": copies},
            "changes": database.get("changes", {}),
            "notifications": {
                name: {
                    "enabled": getattr(self._services.settings, name).enabled,
                    **self._flow(name, depths),
                    **database.get(name, {}),
                }
                for name in ("notification_email", "webhook_delivery")
            },
        }

    def queue_seen(self) -> QueueSeen:
        """Returns what waits in the queue; raises `RedisUnavailable`."""
        from refresher.runtime.broker import queue_age_seconds, queue_depth  # noqa: PLC0415  it starts sooner

        name = self._services.settings.integration_refresh.queue
        if self._broker is None:
            return QueueSeen(0, 0.0)
        return QueueSeen(queue_depth(self._broker, name), queue_age_seconds(self._broker, name))

    def scrape(self, accept: str) -> tuple[bytes, str] | None:
        """Returns the metrics of this process, None when they are turned off."""
        return self._services.meter.scrape(accept)

    def _database(self) -> dict[str, Told]:
        """Returns how the schedule stands, and the flows that tell people; asked on its own thread."""
        try:
            with self._services.database.transaction() as db:
                return {
                    "database": {"ok": True, **asdict(gauges.schedule(db))},
                    "notification_email": asdict(gauges.mail_flow(db)),
                    "webhook_delivery": asdict(gauges.webhook_flow(db)),
                    "changes": self._changes(db),
                    "writes": self._writes(),
                }
        except DatabaseNotMigrated:
            return {"database": {"ok": False, "error": NOT_MIGRATED}}
        except (DatabaseUnavailable, DatabaseError):
            return {"database": {"ok": False, "error": AWAY}}

    def _changes(self, db: Db) -> Told:
        """Returns what providers in use have announced, by provider, when it is near."""
        used = inspection.in_use(db)
        known = self._services.catalogue.those(used.providers)
        told: dict[str, list[str]] = {}
        for one in announced(known, used.today):
            told.setdefault(one.provider, []).append(one.sentence)
        return {**told}

    def _writes(self) -> Told:
        """Returns whether Postgres takes what a refresh writes."""
        try:
            with self._services.database.transaction() as db:
                gauges.try_writes(db)
        except DatabaseRefusesWrites:
            return {"ok": False, "error": NO_WRITES}
        return {"ok": True}

    def _spool(self) -> Told:
        """Returns how many token pairs wait because Postgres does not take them."""
        spool = self._services.spool
        waiting = {"file": spool.in_file(), "redis": spool.in_redis()}
        return {"ok": not any(waiting.values()), **waiting}

    def _depths(self) -> dict[str, Told]:
        """Returns how much waits in the spool and in each queue, and who else uses Redis.

        Asked on its own thread.
        """
        self._met_lately = self._others()
        if self._broker is None:
            return {"spool": self._spool()}
        from refresher.runtime import broker  # noqa: PLC0415  this module stands below it

        brokers = {
            "integration_refresh": self._broker,
            "notification_email": broker.mail_broker,
            "webhook_delivery": broker.webhook_broker,
        }
        waiting = {name: _depth(self._flow_of(name), its) for name, its in brokers.items()}
        return {**waiting, "spool": self._spool()}

    def _others(self) -> tuple[list[str], list[str]]:
        """Returns who else uses Redis: other installations, and copies of our own, which do harm."""
        try:
            met = self.neighbours.met() if self.neighbours is not None else []
        except RefresherError:
            met = []  # that Redis is away is told of the queues
        others = [one.sentence for one in met if not one.is_copy]
        return others, [one.sentence for one in met if one.is_copy]

    def _flow(self, name: str, depths: Mapping[str, Told]) -> Told:
        """Returns where a flow's messages go, and how many wait there as far as that is known."""
        flow = self._flow_of(name)
        unknown = {} if self._broker is None else {"ok": False, "error": SILENT_BROKER}
        return {"transport": flow.transport, "name": flow.queue, **depths.get(name, unknown)}

    def _flow_of(self, name: str) -> Flow:
        flow = getattr(self._services.settings, name)
        assert isinstance(flow, Flow)
        return flow


def _depth(flow: Flow, broker: dramatiq.Broker) -> Told:
    from refresher.runtime.broker import queue_depth  # noqa: PLC0415  this module stands below it

    try:
        return {"ok": True, "depth": queue_depth(broker, flow.queue)}
    except RefresherError as error:
        return {"ok": False, "error": str(error)}
