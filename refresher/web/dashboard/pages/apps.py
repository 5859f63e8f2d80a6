"""Apps: which clients of ours exist, and whether they are taken. Keys of all organizations alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refresher.rules.access import Scope
from refresher.rules.needs import Words
from refresher.rules.provider_standing import Tone
from refresher.rules.words import many
from refresher.web.dashboard.pages import app_rows
from refresher.web.dashboard.pages.app_rows import PREVIOUS, AppRow
from refresher.web.dashboard.routing import Answer, Goto, Mistaken, Page, Route
from refresher.web.dashboard.visit import Visit

MOST_SHOWN = 200
NAME = "default"


@dataclass(frozen=True, slots=True)
class AppsView:
    """What the page shows; `provider` and `name` are what was typed of a new app."""

    sentence: str
    more: Words
    tone: Tone
    rows: Sequence[AppRow]
    is_cut: bool
    previous: str
    names: Sequence[str]
    provider: str
    name: str


def show(visit: Visit) -> Page:
    """Shows all of them, those that are lacking or refused first."""
    return _page(visit, "", NAME)


def new(visit: Visit) -> Answer:
    """Leads to the form of an app; asks again where no provider has the name."""
    provider = visit.query.get("provider", "").strip().lower()
    name = visit.query.get("name", "").strip() or NAME
    page = _page(visit, provider, name)
    if not provider:
        return page
    if provider not in visit.services.catalogue:
        sentence = f"The catalogue has no provider “{provider[:64]}”: look it up under Providers."
        raise Mistaken(sentence, page)
    if not app_rows.is_name(name):
        sentence = f"“{name[:64]}” is no name for an app: use a to z, 0 to 9, - and _."
        raise Mistaken(sentence, page)
    return Goto(app_rows.link(provider, name))


def _page(visit: Visit, provider: str, name: str) -> Page:
    with visit.reading() as db:
        rows = app_rows.rows(visit, db)
    sentence, more, tone = _sentence(rows)
    view = AppsView(
        sentence,
        more,
        tone,
        rows[:MOST_SHOWN],
        len(rows) > MOST_SHOWN,
        PREVIOUS,
        visit.services.catalogue.names,
        provider,
        name,
    )
    return Page("apps.html", view, "Apps", has_live_parts=not provider)


def _sentence(rows: Sequence[AppRow]) -> tuple[str, Words, Tone]:
    refused = [row for row in rows if row.tone == "bad" and row.client_id is not None]
    lacking = [row for row in rows if row.client_id is None]
    waits = sum(row.waiting for row in rows)
    wait = (f"{many(waits, 'connection waits', 'connections wait')} for them.",) if waits else ()
    if refused:
        verb = "is" if len(refused) == 1 else "are"
        of = f"{len(refused):,} of {many(len(rows) - len(lacking), 'app')} {verb} refused."
        return of, wait, "bad"
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        return f"{many(len(lacking), 'app')} {verb} not stored.", wait, "bad"
    if not rows:
        more = ("An app is our client at a provider: its id, and its secret, which is sealed.",)
        return "No app is stored yet.", more, "still"
    return (
        ("The app is taken." if len(rows) == 1 else f"All {len(rows):,} apps are taken."),
        (),
        "good",
    )


ROUTES = (
    Route("GET", "/ui/apps", show, everybody=True, section="apps"),
    Route("GET", "/ui/apps/new", new, Scope.ADMIN, everybody=True, section="apps"),
)
