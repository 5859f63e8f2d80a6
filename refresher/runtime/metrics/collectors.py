"""What is read at the moment of a scrape: the deployment's gauges, and this process's own.

The deployment's gauges come from Postgres and Redis. Every process would tell the same, so only the
scheduler and the web process do (REFRESHER_METRICS_GAUGES), and each reads them at most once in
REFRESHER_METRICS_CACHE_SECONDS. Two schedulers still tell twice: dashboards take the maximum.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from refresher import __version__
from refresher.errors import RefresherError
from refresher.rules.changes import Announced, announced
from refresher.rules.faults import Sort
from refresher.runtime.deadlines import Look
from refresher.runtime.metrics import Sources
from refresher.store import gauges, inspection
from refresher.store.gauges import Gauges

log = structlog.get_logger()
ROLES = ("scheduler", "worker", "web")


def registries(
    role: str, sources: Sources, folder: Path | None
) -> tuple[CollectorRegistry, CollectorRegistry]:
    """Returns the registry that counters belong in, and the one that a scrape reads.

    They are one, unless several worker processes share a folder: then a scrape reads the folder.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    scraped = CollectorRegistry()
    scraped.register(OwnCollector(role, sources))
    if sources.gauges:
        scraped.register(DeploymentCollector(sources))
    if folder is not None:
        MultiProcessCollector(scraped, path=str(folder))  # type: ignore[no-untyped-call]
        return CollectorRegistry(), scraped
    for standard in (ProcessCollector, PlatformCollector, GCCollector):
        standard(registry=scraped)
    return scraped, scraped


def gauge(name: str, help_: str, value: float) -> Metric:
    """Returns a gauge without labels."""
    return GaugeMetricFamily(f"refresher_{name}", help_, value=value)


def labelled(
    name: str, help_: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    """Returns a gauge with one value for each tuple of label values."""
    made = GaugeMetricFamily(f"refresher_{name}", help_, labels=labels)
    for label_values, value in values:
        made.add_metric(label_values, value)
    return made


_AWAY = (gauge("database_up", "Whether Postgres answered this scrape.", 0),)


class OwnCollector(Collector):
    """What every process tells about itself."""

    def __init__(self, role: str, sources: Sources) -> None:
        self._role = role
        self._sources = sources

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not ask the disk at the start."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields build, role, the last tick's age, failures, and the pairs in the spool's file."""
        labels = (__version__, platform.python_version(), self._role)
        yield labelled(
            "build_info",
            "1, labelled with what runs.",
            ("version", "python", "role"),
            [(labels, 1)],
        )
        age = self._sources.process.tick_age_seconds()
        if age is not None:
            yield gauge("tick_age_seconds", "Since the last finished tick of this scheduler.", age)
        failures = [((job,), float(n)) for job, n in self._sources.process.job_failures().items()]
        if failures:
            told = "Failures of a scheduler's job since it last succeeded."
            yield labelled("job_failures_in_a_row", told, ("job_name",), failures)
        in_file = self._sources.spool.in_file()
        yield gauge(
            "spooled_pairs", "Token pairs and unread answers in this machine's spool file.", in_file
        )


class DeploymentCollector(Collector):
    """The gauges of the whole deployment, read at most once in `cache_seconds`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._kept: list[Metric] = []
        self._database_look = Look(lambda: list(self._database()))
        self._queue_look = Look(lambda: list(self._queue()))

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not ask the database at the start."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields all gauges; while Postgres is away or hangs, only that it is."""
        with self._lock:
            if time.monotonic() - self._read_at > self._sources.cache_seconds:
                database, queue = self._database_look(), self._queue_look()
                self._kept = [*(_AWAY if database is None else database), *(queue or ())]
                self._read_at = time.monotonic()
            kept = self._kept
        yield from kept

    def _database(self) -> Iterator[Metric]:
        try:
            with self._sources.database.transaction() as db:
                now = gauges.read(db, has_lock=self._sources.liveness_lock)
                used = inspection.in_use(db)
        except RefresherError as error:
            log.warning("gauges cannot be read", why=str(error))
            yield from _AWAY
            return
        yield gauge("database_up", "Whether Postgres answered this scrape.", 1)
        yield from _schedule(now)
        known = self._sources.catalogue
        yield from _trouble(now, known.names)
        yield from _around(now)
        yield _changes(announced(known.those(used.providers), used.today))

    def _queue(self) -> Iterator[Metric]:
        try:
            seen = self._sources.process.queue()
        except RefresherError as error:
            log.warning("the queue cannot be read", why=str(error))
            return
        kept = self._sources.spool.in_redis()
        if kept is not None:
            yield gauge(
                "redis_spooled_pairs", "Token pairs and unread answers in the spool in Redis.", kept
            )
        yield gauge("queue_messages", "Messages that wait; each carries a batch.", seen.depth)
        if seen.oldest_seconds is not None:
            told = "How long the oldest message has waited."
            yield gauge("queue_age_seconds", told, seen.oldest_seconds)


def _schedule(now: Gauges) -> Iterator[Metric]:
    parked = sum(now.parked.values())
    states = [(("idle",), now.idle), (("leased",), now.leased), (("parked",), parked)]
    yield labelled("rows", "Schedule rows by state.", ("state",), states)
    reasons = [((reason,), count) for reason, count in now.parked.items()]
    yield labelled("parked_rows", "Parked rows by reason.", ("reason",), reasons)
    yield gauge("overdue_rows", "Rows past their due time, claimed or not.", now.overdue)
    yield gauge(
        "oldest_overdue_seconds", "By how long the most overdue row is.", now.oldest_overdue_seconds
    )
    yield gauge("expired_tokens", "Scheduled tokens that are dead now.", now.expired_tokens)
    if now.least_life_seconds is not None:
        yield gauge(
            "least_life_seconds", "The shortest life that a token has left.", now.least_life_seconds
        )
    yield gauge("quarantined_pairs", "Late pairs that may be the only live ones.", now.quarantined)


def _trouble(now: Gauges, providers: tuple[str, ...]) -> Iterator[Metric]:
    known = set(providers)
    opened = {p.provider for p in now.pauses if p.sort == Sort.SILENT}
    yield labelled(
        "breaker_open",
        "1 while a host of a provider, or all of it, is left alone because it answered nobody.",
        ("provider",),
        [((name,), float(name in opened)) for name in providers],
    )
    left: dict[tuple[str, ...], float] = {}
    for pause in now.pauses:
        key = (pause.scope, pause.provider if pause.provider in known else "other")
        left[key] = max(left.get(key, 0.0), pause.left_seconds)
    yield labelled(
        "pause_left_seconds", "Until the last pause ends.", ("scope", "provider"), left.items()
    )


def _around(now: Gauges) -> Iterator[Metric]:
    counts = [
        ((role, state), float(now.processes.get((role, state == "alive"), 0)))
        for role in ROLES
        for state in ("alive", "missing")
    ]
    yield labelled("processes", "Registered processes.", ("role", "state"), counts)
    yield gauge(
        "outbox_oldest_seconds",
        "How long the oldest mail or webhook has waited to be sent.",
        now.outbox_seconds,
    )


def _changes(found: Iterable[Announced]) -> Metric:
    soonest: dict[tuple[str, ...], float] = {}
    for one in found:
        soonest.setdefault((one.provider,), one.left_days)
    return labelled(
        "provider_change_days",
        "Until the next announced change of a provider in use; negative: since then.",
        ("provider",),
        soonest.items(),
    )
