"""Looks at the whole deployment: one for all who watch, taken only while somebody asks.

A look is kept for 5 s in each process, up to 15 s where it took long, what costs more for 30 s. However
many watch, Postgres is asked by one thread for each organization at most; who asks waits as long as he
can afford, and has the last look until then. A database that is away leaves the last look, with the
reason.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeVar, cast

import structlog
from uuid_utils.compat import uuid7

from refresher.errors import DatabaseUnavailable, RefresherError
from refresher.insight import needs as gathering
from refresher.insight.queue import QueueNow, queue_now
from refresher.insight.sight import Seeing
from refresher.rules.connection import ParkReason
from refresher.rules.needs import Need, counted, needs
from refresher.rules.verdict import Next, Verdict, WorkFacts, verdict
from refresher.settings import Settings
from refresher.store import (
    connections,
    inspection,
    installation,
    pause_list,
    sample_history,
    troubles,
)
from refresher.store.connections import Numbers
from refresher.store.gauges import MOST_COUNTED
from refresher.store.inspection import Activity
from refresher.store.looking import looking
from refresher.store.pause_list import PauseView
from refresher.store.pool import DatabaseError
from refresher.store.sample_history import History, Lately
from refresher.store.session import Database, Db
from refresher.store.token_lives import EndsNext

log = structlog.get_logger()
T = TypeVar("T")
KEPT_SECONDS, KEPT_LONGER_SECONDS, AGAIN_SECONDS = 5.0, 30.0, 1.0
KEPT_TIMES, MOST_KEPT_SECONDS = 50.0, 15.0
LIMIT_SECONDS = 3.0
MOST_KEPT = 1_000
HOURS = 6.0
THREADS = 3


@dataclass(frozen=True, slots=True)
class WorkNow:
    """The work and its queue at one moment."""

    activity: Activity
    queue: QueueNow


def work_now(settings: Settings, database: Database) -> WorkNow:
    """Takes a look at the work, as `refresher top` shows it. Raises `RefresherError`."""
    with looking(database, LIMIT_SECONDS) as db:
        now = inspection.activity(db, has_lock=settings.liveness_lock)
        name = installation.name(db)
    return WorkNow(now, queue_now(settings, name))


@dataclass(frozen=True, slots=True)
class Look:
    """How things stand at one instant of the database's clock.

    `work` is None where the look is one organization's, whose `numbers` it has instead. The connections
    of `facts` are counted but for `is_about`; `switched_off` are those that are disabled or paused.
    `in_use` names the providers, `lately` tells what they did; `history` are the last six hours.
    """

    facts: WorkFacts
    is_about: bool
    switched_off: int
    needs: tuple[Need, ...]
    verdict: Verdict
    pauses: tuple[PauseView, ...]
    in_use: tuple[str, ...]
    work: WorkNow | None = None
    numbers: Numbers | None = None
    lately: Mapping[str, Lately] = field(default_factory=dict)
    history: History | None = None
    name: str = ""
    """No other look of any process has it."""

    @property
    def counted(self) -> dict[str, int]:
        """The numbers of the left column, by section."""
        return counted(self.needs)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look there is, how old it is, and why there is no newer one.

    `is_away` tells that Postgres cannot be used.
    """

    look: Look | None
    age_seconds: float = 0.0
    trouble: str | None = None
    is_away: bool = False


def take(services: Seeing, organization_id: str | None, kept: gathering.Kept) -> Look:
    """Takes a look: of everything, or of one organization. Raises `RefresherError`."""
    with looking(services.database, LIMIT_SECONDS) as db:
        if organization_id is not None:
            return _of_one(db, services, organization_id)
        activity = inspection.activity(db, has_lock=services.settings.liveness_lock)
        name = installation.name(db)
        look = _of_all(db, services, activity, kept)
    queue = queue_now(services.settings, name)
    return replace(look, work=WorkNow(activity, queue), name=uuid7().hex)


def _of_all(db: Db, services: Seeing, activity: Activity, kept: gathering.Kept) -> Look:
    at, late, gauges = troubles.now(db), troubles.late(db), activity.gauges
    pauses = tuple(pause_list.held(db))
    parked = {
        r: n for r, n in gauges.parked.items() if r not in (ParkReason.DELETED, ParkReason.MISSING)
    }
    total = gauges.idle + gauges.leased + sum(parked.values())
    work = WorkFacts(
        at, total, gauges.ended_idle, late.rows, late.oldest_seconds,
        _next(services, gauges.ends_next), tuple(p.role for p in activity.processes),
    )  # fmt: skip
    found = needs(gathering.of_everybody(db, services, activity, pauses, kept))
    used = kept("in use", lambda: inspection.in_use(db)).providers
    lately = kept("lately", lambda: sample_history.lately(db))
    history = kept("history", lambda: sample_history.read(db, HOURS))
    is_about = gauges.idle >= MOST_COUNTED or max(parked.values(), default=0) >= MOST_COUNTED
    return Look(
        work, is_about, _off(parked), found, verdict(work, found), pauses, used,
        lately=lately, history=history,
    )  # fmt: skip


def _of_one(db: Db, services: Seeing, organization_id: str) -> Look:
    numbers = connections.numbers(db, organization_id)
    own = troubles.work_of(db, organization_id)
    used = inspection.in_use(db, organization_id).providers
    ends = None
    if own.provider is not None and own.ends_at is not None:
        ends = EndsNext(own.provider, own.ends_at, bool(own.is_due_before))
    work = WorkFacts(
        troubles.now(db), numbers.connections, own.ended, own.late, own.late_seconds,
        _next(services, ends),
    )  # fmt: skip
    found = needs(gathering.of_organization(db, services, organization_id, numbers.parked))
    pauses = tuple(
        pause for pause in pause_list.held(db)
        if pause.provider in used and pause.organization_id in (None, organization_id)
    )  # fmt: skip
    is_about = numbers.connections >= MOST_COUNTED
    told = verdict(work, found)
    off = _off(numbers.parked)
    return Look(
        work, is_about, off, found, told, pauses, used, numbers=numbers, name=uuid7().hex
    )  # fmt: skip


def _next(services: Seeing, ends: EndsNext | None) -> Next | None:
    if ends is None:
        return None
    title = services.catalogue.known_as(ends.provider)
    return Next(title, ends.ends_at, ends.is_due_before)


def _off(parked: Mapping[str, int]) -> int:
    return parked.get(ParkReason.DISABLED, 0) + parked.get(ParkReason.PAUSED, 0)


def kept_seconds(took_seconds: float) -> float:
    """Returns how long a look is kept that took so long: where Postgres is busy, it is asked less."""
    return max(KEPT_SECONDS, min(MOST_KEPT_SECONDS, KEPT_TIMES * took_seconds))


@dataclass
class _Place:
    """What is kept of one organization, or of all: the last look, and the one under way."""

    look: Look | None = None
    looked_at: float = 0.0
    tried_at: float = 0.0
    took_seconds: float = 0.0
    trouble: str | None = None
    is_away: bool = False
    under_way: Future[None] | None = None


class Looks:
    """The looks of one process. Safe to use from every thread; nothing runs before the first."""

    def __init__(self, services: Seeing) -> None:
        self._services = services
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="look")
        self._lock = threading.Lock()
        self._places: OrderedDict[str | None, _Place] = OrderedDict()
        self._dear = _Memory(KEPT_LONGER_SECONDS)

    def seen(self, organization_id: str | None, *, patience_seconds: float) -> Seen:
        """Returns the last look; waits so long for a new one where that is older than 5 s."""
        with self._lock:
            place = self._place(organization_id)
            now = time.monotonic()
            kept = AGAIN_SECONDS if place.trouble else kept_seconds(place.took_seconds)
            if place.under_way is None and now - place.tried_at > kept:
                place.under_way = self._threads.submit(self._take, organization_id, place)
            flight = place.under_way
        if flight is not None:
            wait([flight], timeout=patience_seconds)
        with self._lock:
            age = max(0.0, time.monotonic() - place.looked_at)
            return Seen(place.look, age, place.trouble, place.is_away)

    def close(self) -> None:
        """Ends the threads; a look under way has a limit of time."""
        self._threads.shutdown()

    def _place(self, organization_id: str | None) -> _Place:
        place = self._places.setdefault(organization_id, _Place(tried_at=-inf))
        self._places.move_to_end(organization_id)
        if len(self._places) > MOST_KEPT:
            self._places.popitem(last=False)
        return place

    def _take(self, organization_id: str | None, place: _Place) -> None:
        look, trouble, is_away = None, None, False
        began = time.monotonic()
        try:
            look = take(self._services, organization_id, self._dear)
        except RefresherError as error:
            trouble, is_away = str(error), isinstance(error, DatabaseUnavailable)
        except DatabaseError:
            log.exception("a look at the work failed")
            trouble = "the look failed; the log tells why"
        finally:
            now = time.monotonic()
            with self._lock:
                if look is not None:
                    place.look, place.looked_at = look, now
                    place.took_seconds = now - began
                place.tried_at, place.under_way = now, None
                place.trouble, place.is_away = trouble, is_away


class _Memory:
    """Keeps what is made under a name for a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, tuple[float, object]] = {}

    def __call__(self, name: str, make: Callable[[], T]) -> T:
        now = time.monotonic()
        made_at, kept = self._kept.get(name, (-inf, None))
        if now - made_at < self._seconds:
            return cast("T", kept)
        made = make()
        fresh = {n: one for n, one in self._kept.items() if now - one[0] < self._seconds}
        self._kept = {**fresh, name: (now, made)}
        return made
