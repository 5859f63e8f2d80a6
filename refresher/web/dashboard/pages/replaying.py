"""Sending messages again: one, all that failed, or a span, with a preview of the number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from refresher.notify import endpoints
from refresher.rules.access import Scope
from refresher.rules.words import counted, many
from refresher.store import replays
from refresher.store.counting import Counted
from refresher.store.replays import Replay
from refresher.store.webhooks import EndpointView
from refresher.web.dashboard.asking import mistakes_on
from refresher.web.dashboard.pages import endpoint as page_of
from refresher.web.dashboard.pages.endpoint import find
from refresher.web.dashboard.routing import Goto, NotHere, Page, Route
from refresher.web.dashboard.visit import Visit
from refresher.web.problems import Problem
from refresher.web.reading import ID


@dataclass(frozen=True, slots=True)
class ReplayView:
    """What would be sent again; `sentence` None: nothing is asked for yet."""

    endpoint: EndpointView
    since: str
    until: str
    failed: bool
    sentence: str | None = None
    number: str = ""
    is_any: bool = False


def ask(visit: Visit) -> Page:
    """Shows how many messages a replay would send, before it is done."""
    return _ask(visit, visit.query)


def replay(visit: Visit) -> Goto:
    """Sends messages again, with their old ids and in their old order."""
    endpoint = find(visit)
    event = visit.form.get("event", "")
    again = (lambda: page_of.show(visit)) if event else (lambda: _ask(visit, visit.form))
    with mistakes_on(again):
        if endpoint.disabled_at:
            sentence = "it is disabled: enabling it sends what was held for it"
            raise Problem("webhook_disabled", sentence)
        wanted = _one(visit, endpoint, event) if event else _wanted(visit, endpoint, visit.form)
        sent = endpoints.replay(visit.database, wanted, visit.actor)
    path = f"/ui/webhooks/{endpoint.id}"
    said = f"{many(sent, 'message')} {'is' if sent == 1 else 'are'} due again."
    return Goto(path, said) if sent else Goto(path, "There was nothing to send again.", "still")


def _ask(visit: Visit, fields: Mapping[str, str]) -> Page:
    endpoint = find(visit)
    shown = ReplayView(
        endpoint, fields.get("since", ""), fields.get("until", ""), bool(fields.get("failed"))
    )
    blank = Page("replay.html", shown, "Send messages again", has_live_parts=False)
    if not (shown.since or shown.until or shown.failed):
        return blank
    with mistakes_on(lambda: blank):
        wanted = _wanted(visit, endpoint, fields)
        with visit.reading(3.0) as db:
            found = replays.count(db, wanted)
    view = replace(
        shown,
        sentence=_sentence(found),
        number=_number(found),
        is_any=found.number > 0 or found.is_capped,
    )
    return replace(blank, view=view)


def _wanted(visit: Visit, endpoint: EndpointView, fields: Mapping[str, str]) -> Replay:
    since, until = (_instant(visit, name, fields.get(name, "")) for name in ("since", "until"))
    failed = bool(fields.get("failed"))
    if not (since or until or failed):
        raise Problem("invalid_body", "say which: from or until an instant, or what was given up")
    return Replay(endpoint.id, None, since, until, only_failed=failed)


def _one(visit: Visit, endpoint: EndpointView, event: str) -> Replay:
    if not ID.fullmatch(event) or endpoints.foreign_event(visit.database, endpoint, UUID(event)):
        raise NotHere
    return Replay(endpoint.id, UUID(event))


def _instant(visit: Visit, name: str, text: str) -> datetime | None:
    """Returns an instant; one without an offset is in the zone in which all times are shown."""
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise Problem("invalid_body", f"{name}: write it as 2026-11-24 14:30") from None
    whole = at if at.tzinfo is not None else at.replace(tzinfo=visit.zone)
    try:
        return whole.astimezone(UTC)
    except OverflowError:
        raise Problem("invalid_body", f"{name}: there is no such instant") from None


def _sentence(found: Counted) -> str:
    if not found.number and not found.is_capped:
        return "Nothing would be sent again."
    how = "with its old id" if found.number == 1 else "with their old ids and in their old order"
    return f"{_number(found)} would be sent again, {how}."


def _number(found: Counted) -> str:
    told = counted(found.number, "message")
    return f"{told} or more" if found.is_capped and "+" not in told else told


ROUTES = (
    Route("GET", "/ui/webhooks/{id}/replay", ask, Scope.WRITE, section="webhooks"),
    Route("POST", "/ui/webhooks/{id}/replay", replay, Scope.WRITE, section="webhooks"),
)
