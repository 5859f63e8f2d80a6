"""One webhook endpoint: how it does, its messages, and what is done to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from refresher.errors import NoSuchWebhook
from refresher.notify import endpoints
from refresher.rules.words import capital, counted, distance, span
from refresher.store import replays, webhooks
from refresher.store.replays import STATES, DeliveryView
from refresher.store.webhooks import EndpointView
from refresher.web.dashboard.asking import mark, place
from refresher.web.dashboard.moments import ago
from refresher.web.dashboard.pages.webhooks import (
    Standing,
    row,
    standing,
)
from refresher.web.dashboard.rendering import stranger
from refresher.web.dashboard.routing import NotHere, Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.paging import read_number, write

A_PAGE = 50
MOST_OF_A_REASON = 150
TONES: dict[str, Tone | str] = {
    "waiting": "plain",
    "sending": "plain",
    "held": "warn",
    "delivered": "good",
    "failed": "bad",
}
SHAPES = {"waiting": "hourglass", "sending": "turning", "held": "pause"}


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as it is listed; `at` is when it is due, or ended."""

    message: DeliveryView
    tone: str
    shape: str | None
    happened: str
    at: datetime | None
    again: bool
    """Whether it may be sent again."""


@dataclass(frozen=True, slots=True)
class EndpointPage:
    """What the page shows."""

    endpoint: EndpointView
    standing: Standing
    sentence: str
    words: str
    waiting: str
    held: str
    failed: str
    usual: str
    etag: str
    state: str | None
    rows: Sequence[MessageRow]
    next: str | None
    is_cut: bool
    said: str | None


def show(visit: Visit) -> Page:
    """Shows an endpoint and its messages."""
    endpoint = find(visit)
    asked = visit.query.get("state") or None
    state = asked if asked in STATES.values() else None
    said = None if asked == state else "There is no such state: these are all messages."
    listing = ("deliveries", endpoint.id, state)
    before, lost = place(read_number, listing, visit.query.get("cursor"))
    with visit.reading() as db:
        found = replays.look(db, endpoint.id, state=state, before=before, limit=A_PAGE)
        usual = webhooks.usual_seconds(db, endpoint.id)
    rows = [_message(visit, endpoint, one) for one in found.found]
    shown = row(visit, endpoint)
    sentence, words = _sentence(visit, endpoint)
    view = EndpointPage(
        endpoint=endpoint,
        standing=shown.standing,
        sentence=sentence,
        words=words,
        waiting=shown.waiting,
        held=shown.held,
        failed=shown.failed,
        usual="nothing yet" if usual is None else span(usual),
        etag=etag_of(endpoint),
        state=state,
        rows=rows,
        next=write(listing, [found.further]) if found.further is not None else None,
        is_cut=found.further is not None and len(rows) < A_PAGE,
        said=said or lost,
    )
    return Page("endpoint.html", view, endpoint.url)


def find(visit: Visit) -> EndpointView:
    """Returns the endpoint of the address; another organization's is not there."""
    try:
        return endpoints.find(visit.database, visit.uuid("id"), visit.key.organization_id)
    except NoSuchWebhook:
        raise NotHere from None


def etag_of(endpoint: EndpointView) -> str:
    """Returns the mark of what people decided about it; messages do not change it."""
    return mark(
        endpoint.url,
        endpoint.events,
        endpoint.description,
        endpoint.disabled_at,
        endpoint.previous_secret_until,
    )


def _sentence(visit: Visit, endpoint: EndpointView) -> tuple[str, str]:
    if endpoint.disabled_at:
        held = counted(endpoint.held, "message")
        reason = stranger(endpoint.disabled_reason, MOST_OF_A_REASON)
        why = f"{capital(reason)}, {ago(endpoint.disabled_at, visit.now)}."
        more = " Enabled again, it is sent all of them, in their order." if endpoint.held else ""
        return f"It is disabled: {held} {_are(endpoint.held)} held for it.", f"{why}{more}"
    if endpoint.failing_since:
        since = ago(endpoint.failing_since, visit.now)
        left = endpoint.paused_until and distance(endpoint.paused_until, visit.now)
        waiting = counted(endpoint.waiting, "message")
        again = f"The next try is {left}. " if left and left.startswith("in ") else ""
        words = f"{again}Nothing is lost: each message is tried again, in its order."
        return f"It fails, since {since}: {waiting} {_wait(endpoint.waiting)}.", words
    known = standing(visit, endpoint)
    if known.word == "new":
        return "Nothing was sent to it yet.", "A test tells at once whether it would arrive."
    failed = f" {counted(endpoint.failed, 'message')} {_were(endpoint.failed)} given up."
    return f"Messages arrive.{failed if endpoint.failed else ''}", ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _message(visit: Visit, endpoint: EndpointView, one: DeliveryView) -> MessageRow:
    happened = one.reason or ("" if one.attempt or one.http_status else "not tried yet")
    over = one.state in {"delivered", "failed"}
    again = over and endpoint.disabled_at is None and visit.may("write")
    at = one.ended_at or one.due_at
    return MessageRow(one, str(TONES[one.state]), SHAPES.get(one.state), happened, at, again)


ROUTES = (Route("GET", "/ui/webhooks/{id}", show, section="webhooks"),)
