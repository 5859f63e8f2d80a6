"""Webhooks: which endpoints there are, how they do, and adding one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.rules.access import Scope
from refresher.rules.words import counted
from refresher.store import webhooks
from refresher.store.webhooks import EndpointView, Summary
from refresher.web.dashboard.asking import fitting, mistakes_on, place
from refresher.web.dashboard.moments import ago
from refresher.web.dashboard.routing import Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.paging import read_id, write
from refresher.web.problems import Problem
from refresher.web.shapes import WebhookBody

A_PAGE = 50
KINDS = ("*", "connection.*", *endpoints.KINDS)
"""What may be told; the first two stand for many."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an endpoint does: a word, and why."""

    word: str
    tone: Tone
    note: str


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint as it is listed."""

    view: EndpointView
    standing: Standing
    waiting: str
    held: str
    failed: str


@dataclass(frozen=True, slots=True)
class WebhooksView:
    """A page of the list."""

    sentence: str
    tone: Tone
    rows: Sequence[EndpointRow]
    next: str | None
    said: str | None


@dataclass(frozen=True, slots=True)
class EndpointForm:
    """The fields of an endpoint, with what was typed; `id` is None for a new one."""

    id: UUID | None
    kinds: Sequence[str]
    asks_whose: bool
    url: str = ""
    description: str = ""
    organization: str = ""
    operators: bool = False
    events: Sequence[str] = ()
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class SecretView:
    """A signing secret, which is shown this once."""

    id: UUID
    url: str
    sentence: str
    words: str
    secret: str = field(repr=False)


def list_(visit: Visit) -> Page:
    """Shows the endpoints."""
    whose = visit.organization_id
    listing = ("webhooks", whose)
    after, said = place(read_id, listing, visit.query.get("cursor"))
    with visit.reading() as db:
        summary = webhooks.summary(db, whose)
        found = webhooks.every(db, organization_id=whose, after=after, limit=A_PAGE + 1)
    rows = [row(visit, view) for view in found[:A_PAGE]]
    next_ = write(listing, [str(rows[-1].view.id)]) if len(found) > A_PAGE else None
    sentence, tone = _sentence(summary)
    return Page("webhooks.html", WebhooksView(sentence, tone, rows, next_, said), "Webhooks")


def row(visit: Visit, view: EndpointView) -> EndpointRow:
    """Returns an endpoint as it is listed."""
    counts = (counted(number) for number in (view.waiting, view.held, view.failed))
    return EndpointRow(view, standing(visit, view), *counts)


def standing(visit: Visit, view: EndpointView) -> Standing:
    """Returns how an endpoint does."""
    if view.disabled_at:
        since = ago(view.disabled_at, visit.now)
        return Standing("disabled", "bad", f"{view.disabled_reason}, {since}")
    if view.failing_since:
        return Standing("failing", "warn", f"since {ago(view.failing_since, visit.now)}")
    if view.failed:
        return Standing("arrives", "warn", f"{counted(view.failed, 'message')} given up")
    if view.delivered_at:
        return Standing("arrives", "good", f"the last {ago(view.delivered_at, visit.now)}")
    return Standing("new", "still", "nothing was sent to it yet")


def ask_add(visit: Visit) -> Page:
    """Shows the form for a new endpoint."""
    return _form(visit)


def add(visit: Visit) -> Page:
    """Adds an endpoint, and shows its secret, once."""
    services = visit.services
    with mistakes_on(lambda: _form(visit)):
        given = typed(visit) | {"organization_id": _owner(visit)}
        body = fitting(WebhookBody, given)
        wanted = WantedEndpoint(body.url, body.events, body.organization_id, body.description)
        made, secret = endpoints.add(
            services.database,
            services.cipher,
            visit.shared.egress,
            wanted,
            visit.actor,
            most=services.settings.quota_webhooks,
        )
    sentence = "The endpoint is added. This is the only time that its secret is shown."
    words = "It verifies what we send: give it to the receiver now."
    view = SecretView(made, body.url, sentence, words, secret.reveal())
    return Page("secret.html", view, "A new endpoint", has_live_parts=False)


def typed(visit: Visit) -> dict[str, object]:
    """Returns the fields of the form as the API takes them."""
    return {
        "url": visit.form.get("url", "").strip(),
        "events": visit.forms("event"),
        "description": visit.form.get("description", "").strip() or None,
    }


def _form(visit: Visit) -> Page:
    form = EndpointForm(
        id=None,
        kinds=KINDS,
        asks_whose=visit.is_everybodys,
        url=visit.form.get("url", ""),
        description=visit.form.get("description", ""),
        organization=visit.form.get("organization", visit.query.get("organization", "")),
        operators="operators" in visit.form,
        events=visit.forms("event") if visit.form else ("*",),
    )
    return Page("endpoint_form.html", form, "Add an endpoint", has_live_parts=False)


def _owner(visit: Visit) -> str | None:
    """Returns whose endpoint it is to be: nobody becomes an operator's by forgetting a field."""
    if visit.key.organization_id is not None:
        return visit.key.organization_id
    organization = visit.form.get("organization", "").strip()
    if bool(organization) == ("operators" in visit.form):
        sentence = "organization: give an organization's id, or tick that it is the operators'"
        raise Problem("invalid_body", sentence)
    return organization or None


def _sentence(summary: Summary) -> tuple[str, Tone]:
    number = counted(summary.number, "endpoint")
    if not summary.number:
        return "Nobody is told by webhook yet.", "still"
    ill = {"is disabled": summary.disabled, "fails": summary.failing}
    plural = {"is disabled": "are disabled", "fails": "fail"}
    told = [f"{counted(n)} {what if n == 1 else plural[what]}" for what, n in ill.items() if n]
    if told:
        return f"Of {number} {' and '.join(told)}.", "bad" if summary.disabled else "warn"
    one = "the endpoint" if summary.number == 1 else f"all {number}"
    return f"Messages arrive at {one}.", "good"


ROUTES = (
    Route("GET", "/ui/webhooks", list_, section="webhooks"),
    Route("GET", "/ui/webhooks/add", ask_add, Scope.WRITE, section="webhooks"),
    Route("POST", "/ui/webhooks/add", add, Scope.WRITE, section="webhooks", outside=True),
)
