"""One organization: how its connections stand, who hears of them, what messages know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from refresher.notify import recipients as people
from refresher.rules import standing_word
from refresher.rules.access import Scope
from refresher.rules.standing_word import Health
from refresher.rules.words import many
from refresher.store import recipients, webhooks
from refresher.store.counting import Counted
from refresher.store.recipients import Organization, Recipient
from refresher.store.webhooks import EndpointView
from refresher.web.dashboard.asking import fitting, mark, mistakes_on, unchanged
from refresher.web.dashboard.pages import counts_kept
from refresher.web.dashboard.pages.webhooks import Standing, standing
from refresher.web.dashboard.routing import Goto, NotHere, Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.organizations import OrganizationBody, is_known

SHOWN = 10
ILL = (Health.RECONNECT_REQUIRED, Health.BLOCKED, Health.EXPIRED)


@dataclass(frozen=True, slots=True)
class HealthCount:
    """How many connections stand so."""

    word: str
    health: Health
    number: str


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """What the page shows, and the form with what was typed."""

    id: str
    path: str
    stored: Organization
    sentence: str
    tone: Tone
    numbers: Sequence[HealthCount]
    people: Sequence[Recipient]
    has_more_people: bool
    endpoints: Sequence[tuple[EndpointView, Standing]]
    has_more_endpoints: bool
    etag: str
    name: str
    reconnect_url: str
    return_urls: str


def show(visit: Visit) -> Page:
    """Shows an organization; one of which nothing is stored is as good."""
    id_ = _known(visit)
    with visit.reading() as db:
        stored = recipients.organization(db, id_, None) or Organization(id_, None, None)
        counts, all_ = counts_kept.counts(visit.shared, db, id_)
        told = recipients.page(db, [id_], limit=SHOWN + 1)
        hooks = webhooks.every(db, organization_id=id_, limit=SHOWN + 1)
    sentence, tone = _sentence(counts, all_)
    form, given = visit.form, bool(visit.form)
    view = OrganizationView(
        id=id_,
        path=_path(id_),
        stored=stored,
        sentence=sentence,
        tone=tone,
        numbers=[_number(word, found) for word, found in counts.items() if found.number],
        people=told[:SHOWN],
        has_more_people=len(told) > SHOWN,
        endpoints=[(one, standing(visit, one)) for one in hooks[:SHOWN]],
        has_more_endpoints=len(hooks) > SHOWN,
        etag=mark(stored),
        name=form.get("name", "") if given else stored.name or "",
        reconnect_url=form.get("reconnect_url", "") if given else stored.reconnect_url or "",
        return_urls=form.get("return_urls", "") if given else "\n".join(stored.return_urls),
    )
    return Page("organization.html", view, stored.name or id_)


def store(visit: Visit) -> Goto:
    """Stores name, reconnect page and return URLs as a whole: what is empty is forgotten."""
    id_ = _known(visit)
    with visit.reading() as db:
        before = recipients.organization(db, id_, None) or Organization(id_, None, None)
    unchanged(visit, mark(before), lambda: show(visit))
    with mistakes_on(lambda: show(visit)):
        urls = [url.strip() for url in visit.form.get("return_urls", "").splitlines()]
        given = {name: visit.form.get(name, "").strip() for name in ("name", "reconnect_url")}
        body = fitting(
            OrganizationBody,
            {name: text or None for name, text in given.items()}
            | {"return_urls": [url for url in urls if url]},
        )
        wanted = Organization(id_, body.name, body.reconnect_url, body.return_urls)
        people.put_organization(visit.database, visit.services.settings, visit.actor, wanted)
    return Goto(_path(id_), "It is kept.")


def _known(visit: Visit) -> str:
    id_ = visit.parts["id"]
    if not is_known(id_, visit.key.organization_id):
        raise NotHere
    return id_


def _path(id_: str) -> str:
    return f"/ui/organizations/{quote(id_)}"


def _number(word: Health, found: Counted) -> HealthCount:
    number = f"{found.number:,}+" if found.is_capped else f"{found.number:,}"
    return HealthCount(standing_word.label(word), word, number)


def _sentence(counts: Mapping[Health, Counted], all_: Counted) -> tuple[str, Tone]:
    ill = sum(counts[word].number for word in ILL if word in counts)
    if not all_.number:
        return "It has no connection.", "still"
    number = f"{'about ' if all_.is_capped else ''}{many(all_.number, 'connection')}"
    if not ill:
        return f"None of its {number} needs a person.", "good"
    return f"{ill:,} of its {number} {'needs' if ill == 1 else 'need'} a person.", "bad"


ROUTES = (
    Route("GET", "/ui/organizations/{id*}", show, section="recipients"),
    Route("POST", "/ui/organizations/{id*}", store, Scope.WRITE, section="recipients"),
)
