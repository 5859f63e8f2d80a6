"""Providers: which are in trouble, how those in use do, and which others the catalogue has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refresher.catalogue import telling
from refresher.insight.provider_looks import ProviderLook
from refresher.rules.needs import Words
from refresher.rules.provider_standing import (
    OF_SORT,
    ProviderStanding,
    Tone,
    Trouble,
    share_tone,
    standing,
    trouble,
)
from refresher.rules.providers import Provider
from refresher.rules.reasons import page_of
from refresher.rules.words import many
from refresher.store.provider_counts import ProviderCount
from refresher.web.dashboard.pages import provider_facts
from refresher.web.dashboard.routing import Page, Route
from refresher.web.dashboard.visit import Visit

MOST_TROUBLES, A_PAGE = 20, 50
MOST_SOUGHT = 100
SORTED: tuple[Tone, ...] = ("bad", "warn", "still", "good")


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """A pause, in words, and the provider's page."""

    told: Trouble
    link: str
    go: str


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider in use; figures are None where nobody knows, or where they are not one's own."""

    name: str
    title: str
    link: str
    standing: ProviderStanding
    count: ProviderCount
    in_flight: int | None
    per_second: float | None
    failed_share: float | None
    failed_tone: Tone | None
    access: str
    refresh: str
    facts_of: str


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A provider that nobody uses."""

    name: str
    title: str
    link: str
    category: str
    access: str
    connects: bool
    facts_of: str


@dataclass(frozen=True, slots=True)
class ProvidersView:
    """What the page shows: those in use, or the others, `others` being how many there are.

    `sought` is what was searched for. `next` and `first` are where the list goes on and begins.
    """

    sentence: str
    more: Words
    tone: Tone
    sub: Sequence[str]
    troubles: Sequence[TroubleRow]
    more_troubles: int
    rows: Sequence[ProviderRow]
    others: int
    has_rates: bool
    is_about: bool
    broken: Sequence[str]
    next: int | None
    is_first: bool
    in_use: int


@dataclass(frozen=True, slots=True)
class OthersView:
    """The providers that nobody uses, or those that were searched for; `letters` lead to the others."""

    sentence: str
    sought: str
    letters: Sequence[tuple[str, bool]]
    rows: Sequence[OtherRow]
    is_cut: bool


def show(visit: Visit) -> Page:
    """Shows those in use; with `search` or `letter` all that the catalogue has."""
    sought = " ".join(visit.query.get("search", "").split())[:MOST_SOUGHT]
    if sought or "letter" in visit.query:
        return _others(visit, sought, visit.query.get("letter", "")[:1].lower())
    with visit.reading() as db:
        looks = visit.shared.providers.every(db, visit.organization_id)
    return Page(
        "providers.html", _view(visit, looks, _number(visit.query.get("page"))), "Providers"
    )


def link(name: str) -> str:
    """Returns the address of a provider's page."""
    return page_of("providers", name)


def _view(visit: Visit, looks: Sequence[ProviderLook], page: int) -> ProvidersView:
    known = visit.services.catalogue
    rows = [_row(visit, look) for look in looks]
    rows.sort(key=lambda row: (_rank(row), -row.count.number, row.name))
    troubles = [one for look in looks for one in _troubles(visit, look)]
    troubles.sort(key=lambda one: SORTED.index(one.told.tone))
    own = sum(known.origin(n) == "file" for n in (look.facts.name for look in looks) if n in known)
    names = known.names
    begin = page * A_PAGE
    shown = rows[begin : begin + A_PAGE]
    bad = [row for row in rows if row.standing.tone == "bad"]
    sentence, more, tone = _sentence(rows, bad, troubles)
    return ProvidersView(
        sentence=sentence,
        more=more,
        tone=tone,
        sub=_sub(len(names), len(looks), own),
        troubles=troubles[:MOST_TROUBLES],
        more_troubles=max(0, len(troubles) - MOST_TROUBLES),
        rows=shown,
        others=len(set(names) - {row.name for row in rows}),
        has_rates=visit.organization_id is None,
        is_about=any(row.count.is_about for row in shown),
        broken=[one.why for one in known.broken] if visit.is_everybodys else [],
        next=page + 1 if len(rows) > begin + A_PAGE else None,
        is_first=page == 0,
        in_use=len(rows),
    )


def _sub(known: int, used: int, own: int) -> list[str]:
    file = f", {own:,} of them from your own file" if own else ""
    return [f"{known:,} in the catalogue, {used:,} in use{file}"]


def _sentence(
    rows: Sequence[ProviderRow], bad: Sequence[ProviderRow], troubles: Sequence[TroubleRow]
) -> tuple[str, Words, Tone]:
    if not rows:
        return (
            "No provider is in use yet.",
            ("Connect an account, or look for its provider.",),
            "still",
        )
    if bad:
        needs = "needs a person" if len(bad) == 1 else "need a person"
        return f"{many(len(bad), 'provider')} {needs}.", (_names(bad),), "bad"
    if troubles:
        on = "It goes on by itself." if len(troubles) == 1 else "They go on by themselves."
        held = {one.link for one in troubles}
        return f"{many(len(held), 'provider is', 'providers are')} held up.", (on,), "warn"
    poor = [row for row in rows if row.standing.tone == "warn"]
    if poor:
        return "Nothing is held up, and not every provider does well.", (_names(poor),), "warn"
    return "No provider is in trouble.", (), "good"


def _names(rows: Sequence[ProviderRow]) -> str:
    titles = [row.title[:60] for row in rows[:5]]
    rest = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    return f"{', '.join(titles)}{rest}."


def _row(visit: Visit, look: ProviderLook) -> ProviderRow:
    facts, entry = look.facts, visit.services.catalogue.get(look.facts.name)
    share = facts.failed_share
    return ProviderRow(
        name=facts.name,
        title=facts.title,
        link=link(facts.name),
        standing=standing(facts, visit.now),
        count=look.count,
        in_flight=look.in_flight,
        per_second=look.lately.per_second
        if look.lately
        else None
        if look.in_flight is None
        else 0.0,
        failed_share=share,
        failed_tone=share_tone(share),
        access=provider_facts.short_access(entry) if entry else "",
        refresh=provider_facts.short_refresh(entry) if entry else "",
        facts_of=provider_facts.day(entry.checked_on if entry else None),
    )


def _rank(row: ProviderRow) -> int:
    held = row.standing.state in OF_SORT.values()
    in_trouble = held or row.standing.tone in {"bad", "warn"}
    return SORTED.index(row.standing.tone) if in_trouble else len(SORTED)


def _troubles(visit: Visit, look: ProviderLook) -> list[TroubleRow]:
    facts = look.facts
    found = []
    for hold in facts.holds:
        told = trouble(facts.title, facts.name, hold, visit.now)
        found.append(
            TroubleRow(told, link(facts.name), "Put it right" if told.tone == "bad" else "Open")
        )
    return found


def _others(visit: Visit, sought: str, letter: str) -> Page:
    known = visit.services.catalogue
    initials = sorted({name[0] for name in known.names})
    chosen = letter if letter in initials else (initials or [""])[0]
    found: Sequence[Provider]
    if sought:
        found = telling.search(known.providers, sought)
        number = many(len(found), "provider is", "providers are")
        sentence = (
            f"{number} called something like “{sought}”."
            if found
            else f"No provider is called anything like “{sought}”."
        )
    else:
        found = known.those(name for name in known.names if name.startswith(chosen))
        sentence = f"{len(known.names):,} providers are in the catalogue."
    rows = [_other(one) for one in found[: 2 * A_PAGE]]
    letters = [(one, one == chosen and not sought) for one in initials]
    view = OthersView(sentence, sought, letters, rows, len(found) > len(rows))
    return Page("providers_all.html", view, "All providers", has_live_parts=False)


def _other(provider: Provider) -> OtherRow:
    return OtherRow(
        provider.name,
        provider.known_as,
        link(provider.name),
        provider.category or "",
        provider_facts.short_access(provider),
        provider.connect is not None,
        provider_facts.day(provider.checked_on),
    )


def _number(text: str | None) -> int:
    """Returns a page's number, from 0; whatever else is given is the first page."""
    return (
        min(int(text), 1_000) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0
    )


ROUTES = (Route("GET", "/ui/providers", show, section="providers"),)
