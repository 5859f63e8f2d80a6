"""Gathers what `rules/needs.py` decides from: of everybody, or of one organization."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from refresher.catalogue import Catalogue
from refresher.insight.sight import Seeing
from refresher.rules.connection import ParkReason
from refresher.rules.need_facts import (
    AilingProcess,
    DisabledEndpoint,
    Group,
    MailTrouble,
    NeedFacts,
    RefusedApp,
)
from refresher.settings import Settings
from refresher.store import inspection, pause_list, troubles
from refresher.store.inspection import Activity
from refresher.store.pause_list import PauseView
from refresher.store.session import Db
from refresher.store.workers import ProcessSeen

T = TypeVar("T")
FROZEN_SECONDS = 60.0
MOST_EACH = 20
"""So many of one kind are told one by one."""


class Kept(Protocol):
    """Keeps what was made under a name for a while, and makes it anew after that."""

    def __call__(self, name: str, make: Callable[[], T], /) -> T:
        """Returns what is kept, or makes it."""


def of_everybody(
    db: Db, services: Seeing, activity: Activity, pauses: Sequence[PauseView], kept: Kept
) -> NeedFacts:
    """Returns what needs a person in the whole deployment; what costs more is `kept` for a while."""
    known = services.catalogue
    parked = activity.gauges.parked
    gone: Sequence[troubles.Gone] = ()
    if parked.get(ParkReason.RECONNECT_REQUIRED):
        gone = kept("gone", lambda: troubles.gone(db))
    return NeedFacts(
        refused=_refused(db, known, pauses, kept),
        parked=parked,
        by_provider={
            **_groups(db, known, parked),
            ParkReason.RECONNECT_REQUIRED: _gone(known, gone),
        },
        untold=sum(one.untold for one in gone),
        endpoints=_endpoints(db, None),
        mail=_mail(db, None),
        missing_roles=tuple(_missing(services.settings, activity)),
        ailing=tuple(_ailing(services.settings, activity.processes))[:MOST_EACH],
        broken=tuple(one.table for one in known.broken),
    )


def of_organization(
    db: Db, services: Seeing, organization_id: str, parked: Mapping[str, int]
) -> NeedFacts:
    """Returns what of its own needs somebody of this organization."""
    gone = troubles.gone_of(db, organization_id)
    return NeedFacts(
        organization_id=organization_id,
        parked=parked,
        by_provider={ParkReason.RECONNECT_REQUIRED: _gone(services.catalogue, gone)},
        untold=sum(one.untold for one in gone),
        endpoints=_endpoints(db, organization_id),
        mail=_mail(db, organization_id),
    )


def lives(settings: Settings, process: ProcessSeen) -> bool:
    """Whether a process is there, by its lock, or by its last sign where there are no locks."""
    return process.locked if settings.liveness_lock else process.seen_seconds < FROZEN_SECONDS


def _refused(
    db: Db, known: Catalogue, pauses: Sequence[PauseView], kept: Kept
) -> Sequence[RefusedApp]:
    """Returns the apps that are refused: those that are held, then those refused to one grant alone."""
    held = [pause for pause in pauses if pause.scope == "app"]
    found = [*held, *pause_list.refused_alone(db)][:MOST_EACH]
    names = [f"app:{pause.key}" for pause in found]
    waits = kept("behind " + " ".join(names), lambda: troubles.behind(db, names)) if names else {}
    return tuple(_app(known, pause, waits[f"app:{pause.key}"]) for pause in found)


def _app(known: Catalogue, pause: PauseView, wait: troubles.Behind) -> RefusedApp:
    return RefusedApp(
        pause.provider,
        known.known_as(pause.provider),
        pause.app or "default",
        pause.reason,
        pause.since,
        wait.waiting,
        wait.first_ends_at,
        wait.ended,
        pause.organization_id,
    )


def _groups(db: Db, known: Catalogue, parked: Mapping[str, int]) -> dict[str, Sequence[Group]]:
    """Returns by provider and app what is parked because of us; nothing is read where none is."""
    reasons = (
        ParkReason.APP_NOT_CONFIGURED,
        ParkReason.UNKNOWN_PROVIDER,
        ParkReason.UNREAD_ANSWER,
    )
    return {
        reason: tuple(_grouped(known, inspection.parked_for(db, reason), reason))
        for reason in reasons
        if parked.get(reason)
    }


def _grouped(
    known: Catalogue, rows: Sequence[tuple[str, str, int]], reason: ParkReason
) -> Iterator[Group]:
    by_app = reason is ParkReason.APP_NOT_CONFIGURED
    counts: dict[tuple[str, str], int] = {}
    for provider, app, number in rows:
        key = provider, app if by_app else "default"
        counts[key] = counts.get(key, 0) + number
    first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_EACH]
    for (provider, app), number in first:
        yield Group(provider, known.known_as(provider), number, app)


def _gone(known: Catalogue, found: Sequence[troubles.Gone]) -> Sequence[Group]:
    return tuple(
        Group(one.provider, known.known_as(one.provider), one.number, latest_at=one.latest_at)
        for one in found
    )


def _endpoints(db: Db, organization_id: str | None) -> Sequence[DisabledEndpoint]:
    return tuple(
        DisabledEndpoint(one.id, urlsplit(one.url).hostname or one.url, one.reason, one.held)
        for one in troubles.disabled(db, organization_id)
    )


def _mail(db: Db, organization_id: str | None) -> MailTrouble:
    found = troubles.mail(db, organization_id)
    return MailTrouble(found.reason, found.given_up, found.last_reason, found.refused_addresses)


def _missing(settings: Settings, activity: Activity) -> Iterator[str]:
    """Yields the roles without which nothing is refreshed, and that nobody has."""
    if not activity.gauges.idle and not activity.gauges.leased:
        return
    needed = ["scheduler"]
    if settings.integration_refresh.transport != "in_process":
        needed.append("worker")
    running = {process.role for process in activity.processes if lives(settings, process)}
    yield from (role for role in needed if role not in running)


def _ailing(settings: Settings, processes: Sequence[ProcessSeen]) -> Iterator[AilingProcess]:
    """Yields who lives and does not work: its jobs fail, or it gives no sign of life."""
    for process in processes:
        if not lives(settings, process):
            continue
        who = process.role, process.host, process.process_id
        if process.locked and process.seen_seconds > FROZEN_SECONDS:
            yield AilingProcess(*who, silent_seconds=process.seen_seconds)
        for job, reason in sorted(process.failing.items()):
            yield AilingProcess(*who, job=job, reason=reason)
