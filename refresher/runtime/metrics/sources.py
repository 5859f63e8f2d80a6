"""What a scrape asks: handed in by whoever opens the meter, so that nothing here knows the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from refresher.settings import Settings
from refresher.store.session import Database
from refresher.store.spool import Spool

GAUGE_ROLES = frozenset({"scheduler", "web"})


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """How many messages wait, and how long the oldest one has."""

    depth: int
    oldest_seconds: float


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
    providers: tuple[str, ...]
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
    providers: tuple[str, ...],
    process: OfProcess,
) -> Sources:
    """Returns what a process of this role asks at a scrape, by its settings."""
    return Sources(
        database=database,
        spool=spool,
        providers=providers,
        liveness_lock=settings.liveness_lock,
        cache_seconds=settings.metrics_cache_seconds,
        gauges=tells_gauges(role, settings.metrics_gauges),
        process=process,
    )
