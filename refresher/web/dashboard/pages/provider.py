"""One provider: is it them, or us? And what is known of it, and can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from refresher.catalogue import Catalogue, check
from refresher.insight.provider_looks import ProviderLook
from refresher.rules.access import Scope
from refresher.rules.provider_standing import (
    ProviderStanding,
    Tone,
    share_tone,
    standing,
)
from refresher.store import answers, inspection, sample_history
from refresher.store.answers import AnswerView
from refresher.store.pause_list import PauseView
from refresher.store.session import Db
from refresher.web.dashboard import history_charts
from refresher.web.dashboard.charts import Chart
from refresher.web.dashboard.pages import app_rows, provider_facts
from refresher.web.dashboard.pages.app_rows import AppRow
from refresher.web.dashboard.pages.provider_facts import Announcement, Fact, Source
from refresher.web.dashboard.pages.providers import link
from refresher.web.dashboard.routing import NotHere, Page, Route
from refresher.web.dashboard.visit import Visit

HOURS = 6.0
MOST_ANSWERS, MOST_PAUSES = 20, 50
ORIGINS = {"built-in": "of the catalogue", "file": "from your own file", "discovered": "discovered"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name above and its words below."""

    name: str
    value: str
    words: str
    unit: str = ""
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A kept answer that could not be read."""

    id: UUID
    connection_id: UUID
    external_id: str
    received_at: datetime
    why: str
    looks_like_grant: bool


@dataclass(frozen=True, slots=True)
class ProviderPage:
    """What the page shows; `facts` and what follows are empty where it has no entry."""

    name: str
    title: str
    sub: Sequence[str]
    link: str
    standing: ProviderStanding
    store_secret: str | None
    can_try: bool
    figures: Sequence[Figure]
    charts: Sequence[Chart]
    apps: Sequence[AppRow]
    shows_apps: bool
    needs_app: bool
    pauses: Sequence[PauseView]
    more_pauses: int
    unread: Sequence[UnreadRow]
    unread_is_cut: bool
    facts: Sequence[Fact]
    facts_of: str
    sources: Sequence[Source]
    notes: str
    announcements: Sequence[Announcement]
    warnings: Sequence[str]


def show(visit: Visit) -> Page:
    """Shows the page; for a name that no entry, pause or connection has there is none."""
    name = visit.parts["name"]
    with visit.reading() as db:
        look = visit.shared.providers.one(db, name, visit.organization_id)
        if not _is_known(visit.services.catalogue, look):
            raise NotHere
        view = _view(visit, db, look)
    return Page("provider.html", view, view.title)


def _is_known(known: Catalogue, look: ProviderLook) -> bool:
    name = look.facts.name
    broken = any(one.provider == name for one in known.broken)
    return name in known or broken or bool(look.count.number or look.pauses)


def _view(visit: Visit, db: Db, look: ProviderLook) -> ProviderPage:
    known, name = visit.services.catalogue, look.facts.name
    entry = known.get(name)
    unread = answers.page(
        db, visit.organization_id, provider=name, unread_only=True, limit=MOST_ANSWERS + 1
    )
    waits = look.facts.unread if visit.organization_id is None else len(unread)
    told = standing(replace(look.facts, unread=waits), visit.now)
    rates = visit.organization_id is None
    apps = app_rows.rows(visit, db, name) if rates else []
    today = inspection.today(db)
    ours = known.origin(name) == "built-in" if entry else False
    return ProviderPage(
        name=name,
        title=look.facts.title,
        sub=_sub(known, name),
        link=link(name),
        standing=told,
        store_secret=_secret_page(look) if visit.may(Scope.ADMIN) and rates else None,
        can_try=visit.may(Scope.WRITE) and visit.is_everybodys and bool(look.pauses),
        figures=_figures(look, with_rates=rates),
        charts=_charts(visit, db, name) if rates else [],
        apps=apps,
        shows_apps=rates,
        needs_app=entry.needs_app if entry else False,
        pauses=look.pauses[:MOST_PAUSES],
        more_pauses=max(0, len(look.pauses) - MOST_PAUSES),
        unread=[_unread(one) for one in unread[:MOST_ANSWERS]],
        unread_is_cut=len(unread) > MOST_ANSWERS,
        facts=provider_facts.facts(entry, visit.services.policy) if entry else [],
        facts_of=provider_facts.day(entry.checked_on if entry else None),
        sources=provider_facts.sources(entry, ours=ours) if entry else [],
        notes=entry.notes if entry else "",
        announcements=provider_facts.announcements(entry, today, ours=ours) if entry else [],
        warnings=_warnings(known, name, today),
    )


def _sub(known: Catalogue, name: str) -> list[str]:
    if name not in known:
        return ["no entry"]
    on = known[name].checked_on
    return [ORIGINS[known.origin(name)], *([f"facts of {provider_facts.day(on)}"] if on else [])]


def _secret_page(look: ProviderLook) -> str | None:
    """Returns the page of the app that is refused."""
    refused = [pause for pause in look.pauses if pause.scope == "app" and pause.sort == "refused"]
    return app_rows.link(look.facts.name, refused[0].app or "default") if refused else None


def _figures(look: ProviderLook, *, with_rates: bool) -> list[Figure]:
    waits = sum(hold.waiting or 0 for hold in look.facts.holds)
    about = "about; " if look.count.is_about else ""
    gone = f"{look.reconnects:,} to connect again" if look.reconnects else "none to connect again"
    held = f"{waits:,} wait, " if waits else ""
    first = Figure("Connections", f"{look.count.number:,}", f"{about}{held}{gone}")
    return [first, *_rates(look)] if with_rates else [first]


def _rates(look: ProviderLook) -> list[Figure]:
    lately, share = look.lately, look.facts.failed_share
    rate = lately.per_second if lately else 0.0
    answers_ = (look.facts.refreshed or 0.0) + (look.facts.failed or 0.0)
    failed = look.facts.failed or 0.0
    p50, p99 = (lately.answer_p50_seconds, lately.answer_p99_seconds) if lately else (None, None)
    return [
        Figure("Refreshes a second", f"{rate:.1f}", f"{look.in_flight or 0:,} under way"),
        Figure(
            "Failed, 10 min",
            "–" if share is None else f"{share * 100:.1f} %",
            "no answers" if share is None else f"{failed:,.0f} of {answers_:,.0f}",
            tone=share_tone(share),
        ),
        Figure(
            "Time to answer",
            "–" if p50 is None else history_charts.short_seconds(p50),
            "10 min" if p99 is None else f"{history_charts.short_seconds(p99)} p99, 10 min",
            unit="" if p50 is None else "p50",
        ),
    ]


def _charts(visit: Visit, db: Db, name: str) -> list[Chart]:
    history = sample_history.read(db, HOURS, name)

    def clock(at: datetime) -> str:
        return f"{at.astimezone(visit.zone):%H:%M}"

    return [history_charts.answers(history, clock), history_charts.times(history, clock)]


def _unread(one: AnswerView) -> UnreadRow:
    return UnreadRow(
        one.id,
        one.connection_id,
        one.external_id,
        one.received_at,
        one.reason,
        one.looks_like_grant,
    )


def _warnings(known: Catalogue, name: str, today: date) -> list[str]:
    """Returns what deserves a look in an entry; what is unsure in it stands at each fact."""
    found = check(known, today, [name]) if name in known else []
    told = [one.partition(": ")[2] or one for one in found]
    return [one for one in told if not one.startswith("not confirmed")]


ROUTES = (Route("GET", "/ui/providers/{name}", show, section="providers"),)
