"""Overview: tells whether all is well, and what needs a person.

Shows the last look of this process, which all who watch share. While Postgres is away it stays, under
a banner with its age, without anything that changes something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from refresher.errors import DatabaseUnavailable
from refresher.insight.looks import Look, Seen
from refresher.rules.needs import Need, NeedKind
from refresher.rules.verdict import Verdict
from refresher.rules.words import span
from refresher.store.looking import TooSlow
from refresher.web.dashboard import history_charts as draw
from refresher.web.dashboard.charts import Chart
from refresher.web.dashboard.pages import overview_rows as rows
from refresher.web.dashboard.pages.overview_rows import Figure, ProcessRow, ProviderRow
from refresher.web.dashboard.routing import Page, Route
from refresher.web.dashboard.visit import Visit

PATIENCE_SECONDS = 3.0
"""So long a page waits for a first look."""
SHORT_PATIENCE_SECONDS, OLD_PATIENCE_SECONDS = 0.1, 0.25
"""So long for a newer one, where there is one to show; where that one is old."""
OLD_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class NeedView:
    """What needs a person; its words are texts, each with the instant that it tells, if any."""

    title: str
    words: Sequence[tuple[str, datetime | None]]
    tone: str
    shape: str
    link: str
    go: str


@dataclass(frozen=True, slots=True)
class OverviewView:
    """What the page shows. `away` tells why it is an old look, empty while it is none.

    `is_empty`: there is no connection yet. `organization` is the one that somebody narrowed it to.
    """

    verdict: Verdict
    away: str
    age: str
    looked_at: datetime
    is_empty: bool
    organization: str | None
    needs: Sequence[NeedView]
    figures: Sequence[Figure]
    charts: Sequence[Chart]
    providers: Sequence[ProviderRow]
    providers_in_use: int
    has_numbers: bool
    processes: Sequence[ProcessRow]
    processes_in_words: str


def show(visit: Visit) -> Page:
    """Shows the page; where there is not even an old look, that Postgres is away."""
    seen = _seen(visit)
    if seen.look is None:
        if seen.is_away:
            raise DatabaseUnavailable(seen.trouble or "Postgres cannot be used")
        raise TooSlow(seen.trouble or "the first look at the work takes long")
    return Page("overview.html", view(visit, seen, seen.look), "Overview", is_alike=True)


def same(visit: Visit) -> str | None:
    """Returns what names the look that is shown: while it is the same, so is the page."""
    seen = _seen(visit)
    return None if seen.look is None or seen.trouble else seen.look.name


def _seen(visit: Visit) -> Seen:
    """Returns the last look; who polls waits for no newer one, which is there the next time."""
    looks, whose = visit.shared.looks, visit.organization_id
    seen = looks.seen(whose, patience_seconds=0.0)
    if seen.look is None:
        return looks.seen(whose, patience_seconds=PATIENCE_SECONDS)
    if seen.age_seconds >= OLD_SECONDS:
        return looks.seen(whose, patience_seconds=OLD_PATIENCE_SECONDS)
    return seen if visit.is_live else looks.seen(whose, patience_seconds=SHORT_PATIENCE_SECONDS)


def view(visit: Visit, seen: Seen, look: Look) -> OverviewView:
    """Returns the page's view of a look."""
    services, zone = visit.services, visit.zone
    known = services.catalogue
    told: Sequence[ProcessRow] = ()
    words = ""
    if look.work is None:
        figures = rows.figures_of_one(look)
    else:
        figures = rows.figures(look, services.settings.max_leased)
        has_lock = services.settings.liveness_lock
        told, words = rows.processes(look.work.activity.processes, has_lock=has_lock)
    names = {*look.in_use, *look.lately, *(pause.provider for pause in look.pauses)}
    return OverviewView(
        verdict=look.verdict,
        away=(seen.trouble or "") if seen.is_away else "",
        age=span(max(1.0, seen.age_seconds)),
        looked_at=look.facts.now,
        is_empty=not look.facts.connections and not look.needs,
        organization=visit.organization_id if visit.is_everybodys else None,
        needs=[_need(need, look.facts.now, zone) for need in look.needs],
        figures=figures,
        charts=_charts(look, zone),
        providers=rows.providers(look, {name: known.known_as(name) for name in names}),
        providers_in_use=len(look.in_use),
        has_numbers=look.work is not None,
        processes=told,
        processes_in_words=words,
    )


def _need(need: Need, now: datetime, zone: tzinfo) -> NeedView:
    shape = (
        "cross"
        if need.kind is NeedKind.RECONNECT
        else {"bad": "octagon"}.get(need.tone, "triangle")
    )
    words = [(w, None) if isinstance(w, str) else (_clock(w, now, zone), w) for w in need.words]
    return NeedView(need.title, words, need.tone, shape, need.link, need.go)


def _clock(at: datetime, now: datetime, zone: tzinfo) -> str:
    here = at.astimezone(zone)
    if here.date() == now.astimezone(zone).date():
        return f"{here:%H:%M}"
    return f"{here.day} {here:%b, %H:%M}"


def _charts(look: Look, zone: tzinfo) -> Sequence[Chart]:
    if look.history is None:
        return ()

    def clock(at: datetime) -> str:
        return f"{at.astimezone(zone):%H:%M}"

    past = look.history
    return (
        draw.rates(past, clock),
        draw.lateness(past, clock),
        draw.due(past.due, clock, look.facts.now),
    )


ROUTES = (Route("GET", "/ui", show, section="overview", same=same),)
