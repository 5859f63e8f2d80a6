"""What pages tell of providers: pauses and who waits for them, counts, the last ten minutes.

What costs more than some look-ups is kept for half a minute in each process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from refresher.insight.sight import Seeing
from refresher.rules.connection import ParkReason
from refresher.rules.faults import Sort
from refresher.rules.provider_standing import Hold, ProviderFacts
from refresher.store import inspection, pause_list, provider_counts, sample_history, troubles
from refresher.store.pause_list import Chosen, PauseView
from refresher.store.provider_counts import ProviderCount
from refresher.store.sample_history import Lately
from refresher.store.session import Db
from refresher.store.troubles import Behind

T = TypeVar("T")
KEPT_SECONDS, KEPT_SHORT_SECONDS = 30.0, 5.0
MOST_LOOKED_BEHIND = 20
NONE = ProviderCount(0, is_about=False)


@dataclass(frozen=True, slots=True)
class ProviderLook:
    """One provider; `reconnects` of its connections are to be connected again."""

    facts: ProviderFacts
    count: ProviderCount
    reconnects: int
    in_flight: int | None
    lately: Lately | None
    pauses: Sequence[PauseView]


class ProviderLooks:
    """The looks of one process. Safe to use from every thread."""

    def __init__(self, services: Seeing) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[float, object]] = {}

    def every(self, db: Db, organization_id: str | None) -> list[ProviderLook]:
        """Returns the providers in use, and those that are held, in the order of their names."""
        pauses = self._pauses(db, None, organization_id)
        used = inspection.in_use(db, organization_id).providers
        names = sorted({*used, *(pause.provider for pause in pauses if organization_id is None)})
        return self._looks(db, names, pauses, organization_id)

    def one(self, db: Db, name: str, organization_id: str | None) -> ProviderLook:
        """Returns one provider."""
        pauses = self._pauses(db, name, organization_id)
        return self._looks(db, [name], pauses, organization_id)[0]

    def _looks(
        self,
        db: Db,
        names: Sequence[str],
        pauses: Sequence[PauseView],
        organization_id: str | None,
    ) -> list[ProviderLook]:
        counts = self._counts(db, names, organization_id)
        gone = self._keep(("gone", organization_id), lambda: _gone(db, organization_id))
        unread = self._keep(("unread", organization_id), lambda: _unread(db, organization_id))
        behind = self._behind(db, pauses) if organization_id is None else {}
        flying = _flying(db) if organization_id is None else None
        lately = self._lately(db) if organization_id is None else None
        return [
            ProviderLook(
                facts=self._facts(
                    name,
                    [p for p in pauses if p.provider == name],
                    behind,
                    counts.get(name, NONE).number,
                    lately,
                    unread.get(name, 0),
                ),
                count=counts.get(name, NONE),
                reconnects=gone.get(name, 0),
                in_flight=None if flying is None else flying.get(name, 0),
                lately=None if lately is None else lately.get(name),
                pauses=[p for p in pauses if p.provider == name],
            )
            for name in names
        ]

    def _facts(
        self,
        name: str,
        pauses: Sequence[PauseView],
        behind: Mapping[str, Behind],
        connections: int,
        lately: Mapping[str, Lately] | None,
        unread: int,
    ) -> ProviderFacts:
        known = self._services.catalogue
        entry = known.get(name)
        own = None if lately is None else lately.get(name)
        return ProviderFacts(
            name=name,
            title=entry.known_as if entry else name,
            holds=[_hold(pause, behind) for pause in pauses],
            connections=connections,
            refreshed=None if lately is None else own.refreshed if own else 0.0,
            failed=None if lately is None else own.failed if own else 0.0,
            unread=unread,
            fault=None if entry else _fault(self._services, name),
        )

    def _pauses(self, db: Db, name: str | None, organization_id: str | None) -> list[PauseView]:
        """Returns the pauses that stand; to one organization those of others are nothing."""
        found = pause_list.held(db, Chosen(name))
        return [
            p
            for p in found
            if organization_id is None or p.organization_id in {None, organization_id}
        ]

    def _counts(
        self, db: Db, names: Sequence[str], organization_id: str | None
    ) -> Mapping[str, ProviderCount]:
        if organization_id is None:
            key = ("counts", *names)
            return self._keep(key, lambda: provider_counts.of_everybody(db, names))
        key = ("counts of", organization_id)
        return self._keep(key, lambda: provider_counts.of_organization(db, organization_id))

    def _behind(self, db: Db, pauses: Sequence[PauseView]) -> Mapping[str, Behind]:
        names = [f"{pause.scope}:{pause.key}" for pause in pauses][:MOST_LOOKED_BEHIND]
        if not names:
            return {}
        return self._keep(("behind", *names), lambda: troubles.behind(db, names))

    def _lately(self, db: Db) -> Mapping[str, Lately]:
        return self._keep("lately", lambda: sample_history.lately(db), KEPT_SHORT_SECONDS)

    def _keep(self, key: object, make: Callable[[], T], seconds: float = KEPT_SECONDS) -> T:
        with self._lock:
            now = time.monotonic()
            self._kept = {k: v for k, v in self._kept.items() if now - v[0] < KEPT_SECONDS}
            if key in self._kept and now - self._kept[key][0] < seconds:
                return cast("T", self._kept[key][1])
        made = make()
        with self._lock:
            self._kept[key] = (time.monotonic(), made)
        return made

    def forget(self) -> None:
        """Forgets what is kept: somebody has just changed it."""
        with self._lock:
            self._kept = {}


def _gone(db: Db, organization_id: str | None) -> dict[str, int]:
    if organization_id is None:
        return inspection.parked_by_provider(db, ParkReason.RECONNECT_REQUIRED)
    return {one.provider: one.number for one in troubles.gone_of(db, organization_id)}


def _unread(db: Db, organization_id: str | None) -> dict[str, int]:
    """Returns how many connections wait for an answer that could not be read, by provider."""
    if organization_id is not None:
        return {}
    return inspection.parked_by_provider(db, ParkReason.UNREAD_ANSWER)


def _flying(db: Db) -> dict[str, int]:
    return {one.provider: one.in_flight for one in inspection.providers(db)}


def _hold(pause: PauseView, behind: Mapping[str, Behind]) -> Hold:
    waits = behind.get(f"{pause.scope}:{pause.key}")
    return Hold(
        Sort(pause.sort),
        pause.reason,
        pause.since,
        pause.until,
        pause.probing,
        pause.app,
        pause.host,
        pause.organization_id,
        None if waits is None else waits.waiting,
        0 if waits is None else waits.ended,
        None if waits is None else waits.first_ends_at,
    )


def _fault(services: Seeing, name: str) -> str:
    broken = [one.why for one in services.catalogue.broken if one.provider == name]
    return broken[0] if broken else "There is none of this name: write it into the providers file."
