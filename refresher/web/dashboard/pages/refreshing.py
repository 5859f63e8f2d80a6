"""Refresh now: asked for by a button, waited for, and told with what came of it."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from refresher.connections import lifecycle
from refresher.errors import TokenUnavailable
from refresher.insight.subject import Subject
from refresher.rules import refresh_words
from refresher.rules.access import Scope
from refresher.rules.connection import ParkReason
from refresher.rules.deeds import Deed, why_not
from refresher.rules.refresh_words import Told
from refresher.rules.unavailable import Why
from refresher.store import connections, events
from refresher.web.dashboard import moments
from refresher.web.dashboard.pages import deeds
from refresher.web.dashboard.pages.deeds import CONFLICT, Question
from refresher.web.dashboard.pages.subject import subject
from refresher.web.dashboard.routing import Answer, Goto, Route
from refresher.web.dashboard.visit import Visit

WAIT_SECONDS = 10.0
LOOKED_AT = 5
"""Of the newest events, that of the attempt is among the first."""


def act(visit: Visit) -> Answer:
    """Refreshes, ahead of everything that waits; where another process is at it, waits for that."""
    of = subject(visit)
    if (why := why_not(Deed.REFRESH, of.standing)) is not None:
        return deeds.page(Question(of, Deed.REFRESH, why), CONFLICT)
    lifecycle.note(visit.database, visit.actor, "refresh_asked", of.seen)
    try:
        ending = visit.shared.on_demand.refresh_now(
            of.id, wait_seconds=WAIT_SECONDS, organization_id=visit.key.organization_id
        )
    except TokenUnavailable as error:
        return _refused(visit, of, error)
    held, due_at = _next(visit, of)
    told = refresh_words.ended(ending, of.at, held=held, next_at=_in_words(visit, due_at))
    return _goto(visit, of, told)


def _refused(visit: Visit, of: Subject, error: TokenUnavailable) -> Answer:
    if error.code in {Why.NO_SUCH_CONNECTION, ParkReason.DELETED}:
        return deeds.page(Question(subject(visit), Deed.REFRESH, deeds.GONE), CONFLICT)
    _, due_at = _next(visit, of)
    told = refresh_words.refused(
        error.code, next_at=_in_words(visit, due_at), waited_seconds=WAIT_SECONDS
    )
    return Goto(of.address, told.sentence, told.tone)


def _next(visit: Visit, of: Subject) -> tuple[str | None, datetime | None]:
    """Returns what the row waits for now, and when it is due."""
    with visit.reading() as db:
        view = connections.show(db, of.id)
    return (view.postponed_by, view.due_at) if view else (None, None)


def _in_words(visit: Visit, at: datetime | None) -> str | None:
    if at is None:
        return None
    zone = f"{at.astimezone(visit.zone):%Z}"
    return f"{moments.inside(at, visit.now)}, at {moments.clock(at, visit.now, visit.zone)} {zone}"


def _goto(visit: Visit, of: Subject, told: Told) -> Goto:
    """Leads to the attempt on the connection's page."""
    with visit.reading() as db:
        newest = events.page(db, of.id, None, before=None, limit=LOOKED_AT)
    attempt = next((event for event in newest if event.claimed_at is not None), None)
    place = f"#e{attempt.id}" if attempt else ""
    return Goto(f"{of.address}{place}", told.sentence, told.tone)


PATTERN = "/ui/connections/{id}/refresh"
ROUTES = (
    Route("GET", PATTERN, partial(deeds.ask, Deed.REFRESH), Scope.WRITE, section="connections"),
    Route("POST", PATTERN, act, Scope.WRITE, section="connections", outside=True),
)
