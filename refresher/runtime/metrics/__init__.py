"""Counts what this process does, and serves it to Prometheus.

A `Meter` counts nothing until `open` is called: commands never do, long-running processes do at their
start. The hot path tells it once a commit, never once a row. `families.py`: what is counted;
`collectors.py`: what is read at the scrape; `shared.py`: several worker processes behind one PORT.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from refresher.catalogue import Catalogue
from refresher.rules.faults import Sort
from refresher.rules.outcomes import Reply
from refresher.rules.providers import Provider
from refresher.settings import Settings
from refresher.store.session import Database
from refresher.store.settlement import Settled, Settlement
from refresher.store.spool import Spool
from refresher.store.sweep import Swept

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from refresher.runtime.metrics.families import Families

GAUGE_ROLES = frozenset({"scheduler", "web"})


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """How many messages wait, and how long the oldest one has where the broker can tell."""

    depth: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class OfProcess:
    """What a process knows of itself.

    `tick_age_seconds` answers None where nothing ticks; `job_failures` tells how often each job of a
    scheduler failed since it last succeeded; `queue` raises `RedisUnavailable`.
    """

    tick_age_seconds: Callable[[], float | None]
    job_failures: Callable[[], Mapping[str, int]]
    queue: Callable[[], QueueSeen]


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked at a scrape.

    `gauges` tells whether this process tells about the whole deployment.
    """

    database: Database
    spool: Spool
    catalogue: Catalogue
    liveness_lock: bool
    cache_seconds: float
    gauges: bool
    process: OfProcess


def tells_gauges(role: str, chosen: Literal["auto", "on", "off"]) -> bool:
    """Whether a process of this role tells about the whole deployment."""
    return role in GAUGE_ROLES if chosen == "auto" else chosen == "on"


def sources_from(
    role: str,
    settings: Settings,
    *,
    database: Database,
    spool: Spool,
    catalogue: Catalogue,
    process: OfProcess,
) -> Sources:
    """Returns what a process of this role asks at a scrape, by its settings."""
    return Sources(
        database=database,
        spool=spool,
        catalogue=catalogue,
        liveness_lock=settings.liveness_lock,
        cache_seconds=settings.metrics_cache_seconds,
        gauges=tells_gauges(role, settings.metrics_gauges),
        process=process,
    )


OTHER = "other"
"""The label of a provider that the catalogue lacks."""
CAUSES = {Sort.REFUSED: "app", Sort.SILENT: "breaker", Sort.LIMITED: "rate_limit"}
UNTRIED = frozenset({"parked", "postponed"})
"""Settlements without a request: they were not late, they were not wanted."""


class OfProvider(Protocol):
    """What a reply belongs to, as far as the meter cares."""

    @property
    def provider(self) -> Provider:
        """The catalogue's entry."""


class Meter:
    """The counters of one process; safe to use from several threads."""

    def __init__(
        self, providers: Collection[str], *, enabled: bool, has_helpers: bool = False
    ) -> None:
        self.enabled = enabled
        self._has_helpers = has_helpers
        self._providers = frozenset(providers)
        self._families: Families | None = None
        self._registry: CollectorRegistry | None = None
        self._folder: Path | None = None

    def open(self, role: str, sources: Sources) -> None:
        """Begins to count; does nothing when metrics are turned off, or open already."""
        if not self.enabled or self._families is not None:
            return
        from refresher.runtime.metrics.shared import join_folder  # noqa: PLC0415  before the library

        if role == "worker":
            self._folder = join_folder(os.getppid())
        elif role == "scheduler" and self._has_helpers:
            self._folder = join_folder(os.getpid())
        from refresher.runtime.metrics import collectors  # noqa: PLC0415  commands never need it
        from refresher.runtime.metrics.families import Families  # noqa: PLC0415

        own, self._registry = collectors.registries(role, sources, self._folder)
        self._families = Families(own)

    def close(self) -> None:
        """Forgets what was counted."""
        from refresher.runtime.metrics.shared import leave_folder  # noqa: PLC0415

        if self._folder is not None:
            leave_folder(self._folder)
        self._families = self._registry = self._folder = None

    def scrape(self, accept: str) -> tuple[bytes, str] | None:
        """Returns a scrape's body and content type; None while nothing is counted."""
        if self._registry is None:
            return None
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def replied(self, replies: Sequence[tuple[OfProvider, Reply]]) -> None:
        """Counts how long exchanges took."""
        if self._families is None:
            return
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        for attempt, reply in replies:
            if reply.sent:
                seconds[attempt.provider.name].append(reply.elapsed_seconds)
        for provider, values in seconds.items():
            self._families.exchange.labels(self._label(provider)).observe_many(values)

    def committed(
        self, settlements: Sequence[Settlement], kinds: Sequence[str], settled: Settled
    ) -> None:
        """Counts what one commit wrote; `kinds` are the outcomes, in the order of `settlements`."""
        if self._families is None:
            return
        providers = [s.row.connection.provider for s in settlements]
        for (provider, kind), count in Counter(zip(providers, kinds, strict=True)).items():
            self._families.refreshes.labels(self._label(provider), kind).inc(count)
        tried = [s for s in settlements if s.kind not in UNTRIED]
        self._families.lateness.observe_many([s.row.lateness_seconds for s in tried])
        self._families.expired.inc(sum(map(expired_seconds, tried)))
        self._families.commit_rows.observe(len(settlements))
        self._families.fenced.inc(len(settled.fenced))

    def finished(self, tally: Mapping[str, int]) -> None:
        """Counts what else became of a batch's claims."""
        if self._families is not None:
            self._families.stale.inc(tally.get("stale", 0))
            self._families.unwritable.inc(tally.get("unwritable", 0))

    def claimed(self, count: int) -> None:
        """Counts rows that were claimed and handed over."""
        if self._families is not None:
            self._families.claims.inc(count)

    def swept(self, swept: Swept, deaths: int) -> None:
        """Counts leases that ended without an outcome, and processes that died."""
        if self._families is None:
            return
        kinds = {"unbegun": swept.unbegun, "unknown": swept.unknown, "crash_loop": swept.parked}
        for kind, count in kinds.items():
            self._families.swept.labels(kind).inc(count)
        self._families.deaths.inc(deaths)

    def ticked(self, job: str, seconds: float) -> None:
        """Notes how long one of the scheduler's jobs took."""
        if self._families is not None:
            self._families.tick_seconds.labels(job).observe(seconds)

    def tick_failed(self, job: str) -> None:
        """Counts a job that failed."""
        if self._families is not None:
            self._families.tick_failures.labels(job).inc()

    def consented(self, provider: str, outcome: str) -> None:
        """Counts a consent that came to a connection, or why not."""
        if self._families is not None:
            self._families.consents.labels(self._label(provider), outcome).inc()

    def paused(self, provider: str, sort: Sort) -> None:
        """Counts a pause that was ordered, or prolonged."""
        if self._families is not None:
            self._families.pauses.labels(self._label(provider), CAUSES[sort]).inc()

    def _label(self, provider: str) -> str:
        return provider if provider in self._providers else OTHER


def expired_seconds(s: Settlement) -> float:
    """Returns how long the old token had been dead when its successor came; 0 without one."""
    return s.expired_seconds or 0.0 if s.kind == "refreshed" else 0.0
