"""Weighs what the replies of one commit say against hosts, apps and providers, in its transaction.

Before a request, `pause_met` tells which row is held back by it. The rule is `rules/faults.py`'s: one
grant's word is about that grant alone. Without trouble nothing here asks the database anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from refresher.refresh.attempt import Attempt, paced
from refresher.rules.faults import (
    FAMILY,
    FaultScope,
    Place,
    Sort,
    ToldFault,
    Witness,
    doubts_every_seconds,
    may_probe,
    place_of,
    scopes,
    weigh,
)
from refresher.rules.notices import NewsState
from refresher.runtime.services import Services, breaker_policy_from
from refresher.store import events, notices, pauses, waiting
from refresher.store.notices import Change
from refresher.store.pauses import PauseSeen, Written
from refresher.store.refusals import apart
from refresher.store.reload import Reloaded
from refresher.store.session import Db
from refresher.store.settlement import Settlement

log = structlog.get_logger()
Against = dict[tuple[FaultScope, Sort], list[ToldFault]]


def against(services: Services, db: Db, rows: Sequence[Reloaded]) -> list[Reloaded]:
    """Returns the rows with what stands against their scopes; asks for it only in trouble."""
    if not any(row.in_trouble for row in rows):
        return list(rows)
    places = {row.claim: place for row in rows if (place := _place(services, row))}
    wanted = {claim: _all_scopes(place) for claim, place in places.items()}
    found = pauses.seen(db, {scope for several in wanted.values() for scope in several})
    return [
        replace(
            row, pauses=tuple(p for s in wanted.get(row.claim, ()) for p in found.get(s.name, ()))
        )
        for row in rows
    ]


def _place(services: Services, row: Reloaded) -> Place | None:
    provider = services.catalogue.get(row.connection.provider)
    return place_of(provider, row.connection) if provider and row.in_trouble else None


def _all_scopes(place: Place) -> tuple[FaultScope, ...]:
    return (*scopes(place, "provider"), *scopes(place, "app"))


def pause_met(services: Services, row: Reloaded, probing: set[str]) -> PauseSeen | None:
    """Returns the pause that holds this row back: one that runs, or whose probe is another's.

    `probing` names the pauses that other rows of the batch probe; the row's own is added to it.
    """
    if not row.pauses:
        return None
    hold = services.settings.http_total_seconds + services.settings.commit_seconds
    grant = str(row.connection.id)
    for pause in row.pauses:
        if pause.refusals == 0:
            continue
        held = replace(pause, left_seconds=max(hold, pause.left_seconds))
        is_witness = grant in pause.witnesses
        if not may_probe(pause.sort, pause.left_seconds, is_witness=is_witness):
            return pause
        if pause.name in probing:
            return held
        probing.add(pause.name)
        if not services.outlast(partial(_probes, services, pause, hold)):
            return held
    return None


def _probes(services: Services, pause: PauseSeen, hold_seconds: float, _tried: int) -> bool:
    """Whether we are the one that probes; nobody is, where a try took place without our knowing."""
    every = doubts_every_seconds(pause.sort, services.policy)
    with services.database.transaction() as db:
        return pauses.take_probe(db, pause, hold_seconds=hold_seconds, again_seconds=every)


def in_pace(services: Services, attempts: list[Attempt], aside: list[Settlement]) -> list[Attempt]:
    """Returns whom their providers take now; whose grant was asked too recently is put `aside`.

    Whoever wants them refreshed: what came of the request before does not count, nor who asked.
    """
    paces = {_id(a): pace for a in attempts if (pace := a.provider.refresh_interval_seconds)}
    if not paces:
        return attempts
    grants = [a.row.connection for a in attempts if _id(a) in paces]

    def look(_tried: int) -> dict[UUID, float]:
        with services.database.reading() as db:
            return events.since_request(db, grants, within_seconds=max(paces.values()))

    since = services.outlast(look)  # others of the batch are begun already
    left = {one: paces[one] - ago for one, ago in since.items() if ago < paces[one]}
    aside += [paced(a.row, left[_id(a)]) for a in attempts if _id(a) in left]
    return [a for a in attempts if _id(a) not in left]


def _id(attempt: Attempt) -> UUID:
    return attempt.row.connection.id


def weigh_all(services: Services, db: Db, settlements: Sequence[Settlement]) -> None:
    """Writes the evidence, orders the pauses that follow from it, and ends those that are disproved.

    Apart from the pairs of the same transaction, which an error here must not hold up.
    """
    disproved, against = list(_disproved(settlements)), _against(settlements)
    met = {s.postponed_by for s in settlements if s.postponed_by and s.waits_for}
    if not disproved and not against and not met:
        return

    def failed(error: Exception) -> None:
        services.seldom.exception("cannot weigh what replies say of a scope", error)

    with apart(db, failed):
        # A success first: what was told in the same moment may have been told before it.
        for name in waiting.end(db, disproved):
            log.info("pause lifted", pause=name)
        if against:
            _hold(services, db, against)
        waiting.let_go(db, met)


def _against(settlements: Sequence[Settlement]) -> Against:
    """Returns what is told against which scope, but not against a part of what is held as a whole."""
    found: Against = defaultdict(list)
    for s in settlements:
        fault, place = s.fault, s.place
        if fault is None or place is None:
            continue
        held = {p.name for p in s.row.pauses if p.refusals and p.sort is fault.sort}
        for scope in scopes(place, FAMILY[fault.sort]):
            witness = Witness(place.grant, place.organization_id, place.host)
            found[scope, fault.sort].append(ToldFault(witness, fault, scope.name in held))
            if scope.name in held:
                break
    return found


def _hold(services: Services, db: Db, against: Against) -> None:
    wanted = sorted(against, key=lambda w: (w[0].family, w[0].key, w[1]))
    known = pauses.locked(db, wanted)
    breaker = breaker_policy_from(services.settings)
    found = []
    for scope, sort in wanted:
        told = against[scope, sort]
        before = known.get((scope.family, scope.key, sort))
        weighed = weigh(scope, before, told, services.policy, breaker)
        anew = weighed.is_new and pauses.was_refreshed(db, scope, sort)
        if anew:
            weighed = weigh(scope, None, told[-1:], services.policy, breaker)
        every = 0.0 if weighed.doubt_at_once else doubts_every_seconds(sort, services.policy)
        found.append(Written(scope, sort, told[-1].fault.reason, weighed, every, anew))
    pauses.write(db, found)
    for one in found:
        _tell(db, one)
        if one.weighed.evidence.refusals:
            _hold_back(db, one, {t.witness.grant for t in against[one.scope, one.sort]})
        if one.weighed.pause_seconds:
            services.meter.paused(one.scope.provider, one.sort)


def _hold_back(db: Db, one: Written, told: set[str]) -> None:
    """Has those who were told so wait for the end of the pause as well, as all the others do."""
    if one.weighed.is_new:
        told |= {w.grant for w in one.weighed.evidence.witnesses}
    waiting.take_in(db, one.scope.name, sorted(told))
    if one.weighed.is_new:
        log.error(
            "pausing",
            scope=one.scope.family,
            key=one.scope.key,
            reason=one.reason,
            seconds=one.weighed.pause_seconds,
        )


def _tell(db: Db, one: Written) -> None:
    """Tells people that an app is refused, unless it has grants left that may show that it is well.

    When it is held, those outside of what is held; when a grant of it is refused again and again, any.
    """
    if one.sort is not Sort.REFUSED or not one.weighed.is_news:
        return
    scope = one.scope
    told = () if one.weighed.is_new else tuple(w.grant for w in one.weighed.evidence.witnesses)
    if not pauses.has_others(db, scope, told):
        key = f"{scope.provider}/{scope.app_name}"
        notices.record(db, [Change(("app", key), NewsState.MISCONFIGURED, {"cause": one.reason})])


def _disproved(settlements: Sequence[Settlement]) -> Iterator[PauseSeen]:
    """Yields what a success disproves, and what any answer does: a host that answers is not silent."""
    seen: dict[tuple[str, str, Sort], PauseSeen] = {}
    for s in settlements:
        answered = s.http_status is not None and s.http_status < 500
        for pause in s.row.pauses:
            if s.kind == "refreshed" or (answered and pause.sort is Sort.SILENT):
                seen[pause.scope, pause.key, pause.sort] = pause
    yield from seen.values()
