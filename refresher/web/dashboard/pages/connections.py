"""Connections: which ones are like this, and the one that somebody searches for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from refresher.store import finding, lists, lookup
from refresher.store.finding import Unsearchable
from refresher.store.inspection import in_use
from refresher.store.lists import Chosen, Listed, Order, Row
from refresher.store.session import Db
from refresher.store.walks import MOST_LOOKED, NoPlace
from refresher.web import paging
from refresher.web.dashboard.pages.connections_asked import Asked, read
from refresher.web.dashboard.pages.connections_rows import RowView, changed, marks, row_view
from refresher.web.dashboard.pages.connections_words import (
    Answered,
    Chip,
    chips,
    empty_words,
    foot,
    sentence,
)
from refresher.web.dashboard.pages.counts_kept import counts
from refresher.web.dashboard.rendering import url
from refresher.web.dashboard.routing import Answer, Goto, Page, Route
from refresher.web.dashboard.visit import Visit
from refresher.web.problems import Problem

PATTERN = "/ui/connections"
SHOWN = 50
MOST_NAMES = 500
ORDERS = {"account": "By account", "due": "Due next"}
DEEDS = ("refresh", "pause", "resume"), ("enable", "disable", "delete")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ConnectionsView:
    """What the page shows. `told` is what of the address could not be taken as it stands.

    `empty` says why there is no row, and which filter to drop: (text, address). `is_new`: there is no
    connection at all.
    """

    asked: Asked
    answered: Answered | None
    told: tuple[str, ...]
    chips: tuple[Chip, ...]
    providers: tuple[Option, ...]
    apps: tuple[Option, ...]
    orders: tuple[Option, ...]
    rows: tuple[RowView, ...]
    foot: str
    first: str | None
    next: str | None
    next_text: str
    empty: str | None = None
    drops: tuple[tuple[str, str], ...] = ()
    is_new: bool = False
    is_bound: bool = False
    changed: int = 0

    @property
    def shape(self) -> str | None:
        """The picture of the word that is asked for, while somebody stands so."""
        word = self.asked.chosen.health
        return word.shape if word and self.rows else None

    @property
    def deeds(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What can be done to many: at once, and behind a menu."""
        return DEEDS


def show(visit: Visit) -> Answer:
    """Shows the list that is asked for; a search that fits one alone leads to it."""
    if visit.is_live:
        return _news(visit)
    if visit.query.get("find", "").strip():
        return _search(visit)
    asked, told = read(visit)
    with visit.reading() as db:
        listed, told = _page(db, asked, told)
        view = _listed(visit, db, asked, listed, told)
    return _whole(visit, view)


def _page(db: Db, asked: Asked, told: tuple[str, ...]) -> tuple[Listed, tuple[str, ...]]:
    """Returns the page at the cursor; the first one where it is none of ours, and says so."""
    try:
        place = paging.read_place(asked.chosen, asked.cursor)
        return lists.page(db, asked.chosen, after=place, limit=SHOWN), told
    except (Problem, NoPlace):
        sentence_ = "The page in this address is none of this list: this is the first one."
        return lists.page(db, asked.chosen, limit=SHOWN), (*told, sentence_)


def _listed(
    visit: Visit, db: Db, asked: Asked, listed: Listed, told: tuple[str, ...]
) -> ConnectionsView:
    chosen = asked.chosen
    own = chosen.organization_id
    counted, total = counts(visit.shared, db, own)
    numbers = counted if chosen.provider is None and chosen.app is None else None
    whole = listed.after is None and not asked.cursor
    answered = sentence(chosen, numbers, total, len(listed.rows) if whole else None)
    next_ = paging.write(chosen, listed.after) if listed.after else None
    is_new = not listed.rows and total.number == 0 and not asked.narrows
    return ConnectionsView(
        asked=asked,
        answered=answered,
        told=told,
        chips=chips(asked.query, chosen, numbers, total),
        providers=_providers(visit, db, chosen),
        apps=_apps(visit, db, chosen),
        orders=tuple(Option(n, ORDERS[n], n == chosen.order) for n in get_args(Order)),
        rows=tuple(row_view(visit, row) for row in listed.rows),
        foot=foot(listed),
        first=asked.address(cursor=None) if asked.cursor else None,
        next=asked.address(cursor=next_) if next_ else None,
        next_text="Look further" if listed.is_cut else "Next page",
        empty=None if listed.rows or is_new else empty_words(chosen, listed),
        drops=() if listed.rows or is_new else _drops(db, asked),
        is_new=is_new,
        is_bound=not visit.is_everybodys,
    )


def _drops(db: Db, asked: Asked) -> tuple[tuple[str, str], ...]:
    """Returns the filters without which there are some, each with the address that lacks it."""
    found = []
    for name, value in asked.narrows.items():
        if name == "organization" and asked.is_bound:
            continue
        if lists.ids(db, _without(asked.chosen, name), limit=1).ids:
            found.append((f"Drop {name} “{value}”", asked.address(**{name: None, "cursor": None})))
    return tuple(found)


def _without(chosen: Chosen, name: str) -> Chosen:
    match name:
        case "health":
            return replace(chosen, health=None)
        case "provider":
            return replace(chosen, provider=None)
        case "app":
            return replace(chosen, app=None)
        case _:
            return replace(chosen, organization_id=None)


def _providers(visit: Visit, db: Db, chosen: Chosen) -> tuple[Option, ...]:
    """Returns those in use, and the one that is asked for, by what people call them."""
    own, catalogue = visit.key.organization_id, visit.services.catalogue
    every = (
        lookup.names(db, "provider", limit=MOST_NAMES) if own is None else in_use(db, own).providers
    )
    names = {*every, *([chosen.provider] if chosen.provider else [])}
    known = {name: catalogue.known_as(name) for name in names}
    return tuple(
        Option(name, known[name], name == chosen.provider)
        for name in sorted(known, key=lambda name: known[name].lower())
    )


def _apps(visit: Visit, db: Db, chosen: Chosen) -> tuple[Option, ...]:
    """Returns our apps; who sees one organization alone is shown none but the one asked for."""
    names = {chosen.app} if chosen.app else set[str]()
    if visit.is_everybodys:
        names |= set(lookup.app_names(db, chosen.provider))
    return tuple(Option(name, name, name == chosen.app) for name in sorted(names))


def _search(visit: Visit) -> Answer:
    asked, told = read(visit)
    try:
        with visit.reading() as db:
            own = asked.chosen.organization_id
            found = finding.search(
                db, asked.find, own, limit=SHOWN, sees_deleted=visit.is_everybodys
            )
    except Unsearchable as error:
        words = str(error)
        return _whole(visit, _found(visit, asked, (*told, f"{words[0].upper()}{words[1:]}."), ()))
    if one := _meant(found, asked.find):
        return Goto(f"{PATTERN}/{one.id}")
    return _whole(visit, _found(visit, asked, told, tuple(found.rows), is_cut=found.is_cut))


def _meant(found: Listed, text: str) -> Row | None:
    """Returns the only one that fits, or that is called exactly so."""
    exact = [row for row in found.rows if text in {row.external_id, str(row.id)}]
    for fitting in (exact, [] if found.is_cut else found.rows):
        if len(fitting) == 1:
            return fitting[0]
    return None


def _found(
    visit: Visit,
    asked: Asked,
    told: tuple[str, ...],
    rows: tuple[Row, ...],
    *,
    is_cut: bool = False,
) -> ConnectionsView:
    count = f"The first {len(rows)}" if is_cut and rows else f"{len(rows)}"
    noun = "connection" if len(rows) == 1 else "connections"
    fits = "fits" if len(rows) == 1 else "fit"
    shown = asked.find if len(asked.find) <= MOST_SEARCHED else f"{asked.find[:MOST_SEARCHED]}…"
    words = f"{count} {noun} {fits} “{shown}”."
    if not rows:
        words = f"No connection fits “{shown}”."
    if is_cut:
        words += (
            " Type more of it."
            if rows
            else f" The first {MOST_LOOKED:,} that begin so were looked at."
        )
    return ConnectionsView(
        asked=asked,
        answered=Answered(words, "still"),
        told=told,
        chips=(),
        providers=(),
        apps=(),
        orders=(),
        rows=tuple(row_view(visit, row) for row in rows),
        foot="The exact one first, then by external id, by name, by id",
        first=None,
        next=None,
        next_text="",
        empty=None if rows else finding.FINDS,
        drops=() if rows else (("All connections", PATTERN),),
        is_bound=not visit.is_everybodys,
    )


MOST_SEARCHED = 100


def _whole(visit: Visit, view: ConnectionsView) -> Page:
    """Returns the page; a script asks whether what it shows has changed since."""
    own = [(name, value) for name, value in visit.query_pairs if name != "shown"]
    more = {}
    if view.rows:
        more["live_address"] = url(f"/ui/live{PATTERN[3:]}", **dict(own), shown=marks(view.rows))
    return Page("connections.html", view, "Connections", more=more)


def _news(visit: Visit) -> Page:
    """Tells an open page how many of its rows have changed; they stay as they are."""
    asked, _ = read(visit)
    with visit.reading() as db:
        number = changed(visit, db, visit.query.get("shown", ""))
    view = _found(visit, asked, (), ())
    return Page("connections.html", replace(view, changed=number), "Connections")


ROUTES = (Route("GET", PATTERN, show, section="connections"),)
