"""One connection: why it stands so, when it is refreshed next, and what happened to it.

With `?at=` it is shown as it stood then. A sibling shows the state and the history of its root, whose
grant it uses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from refresher.insight import explaining, looking
from refresher.insight.explaining import Findings
from refresher.insight.looking import CannotTell, Then
from refresher.insight.subject import Subject
from refresher.notify.watch import KEEP_DAYS
from refresher.rules import headlines, times
from refresher.rules.deeds import Offers, offers
from refresher.rules.history import Moment
from refresher.rules.reasons import Instants
from refresher.rules.standing_word import Health
from refresher.store import api_keys, audit, events, lookup, told
from refresher.store.lookup import Match
from refresher.store.session import Db
from refresher.web.dashboard import moments
from refresher.web.dashboard.pages import (
    connection_answer,
    connection_events,
    connection_lives,
    connection_told,
)
from refresher.web.dashboard.pages.connection_answer import Answer
from refresher.web.dashboard.pages.connection_events import Row
from refresher.web.dashboard.pages.connection_lives import Life, Lives
from refresher.web.dashboard.pages.connection_told import Item
from refresher.web.dashboard.pages.subject import subject
from refresher.web.dashboard.routing import Page, Route
from refresher.web.dashboard.visit import Visit

EVENTS_SHOWN = 20
MOST_SIBLINGS = 10
ENTRIES_READ = 50
NEAR_SECONDS, FAR_STEP_SECONDS = 1_200.0, 300
"""What is further away than 20 minutes may be told as it was five minutes ago."""
STATES = {"idle": "scheduled", "leased": "under way", "none": "without a schedule row"}
"""States of a row that people read under another name than programs do."""


@dataclass(frozen=True, slots=True)
class History:
    """A page of events: `due` is the next refresh, as the first row; `older` the id to go on from."""

    rows: Sequence[Row]
    due: datetime | None = None
    older: int | None = None
    is_newest: bool = True


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the history of a connection as it is now."""

    siblings: Sequence[Match]
    told: Sequence[Item]
    deeds: Sequence[Item]


@dataclass(frozen=True)
class ConnectionPage:
    """What the page shows. `at` is the instant that it stood so, None for now.

    `untold` is why it cannot be shown as it stood then. `beside` is None for what is past.
    """

    of: Subject
    found: Findings
    moment: Moment
    answer: Answer
    lives: Sequence[Life]
    history: History
    beside: Beside | None = None
    at: datetime | None = None
    untold: str | None = None

    @property
    def state(self) -> str:
        """The state of its row in words."""
        return STATES.get(self.moment.state, self.moment.state)

    @cached_property
    def offers(self) -> Offers:
        """Which deeds fit."""
        return offers(self.of.standing)

    @property
    def metadata(self) -> str:
        """Its metadata as JSON."""
        return json.dumps(self.of.seen.metadata, ensure_ascii=False)

    @property
    def nobody(self) -> Item:
        """What stands where nobody was told."""
        title = f"Nobody in the last {KEEP_DAYS:.0f} days"
        return Item(title, "It has not been in need of a person.", "still", "ring")

    @property
    def events_days(self) -> float:
        """How long events are kept."""
        return self.found.settings.event_retention_days


def show(visit: Visit) -> Page:
    """Shows a connection as it stands, or stood."""
    of = subject(visit)
    settings, known = visit.services.settings, visit.services.catalogue
    root = of.seen.root_id or of.id
    found = explaining.gather(visit.reading, settings, known, root, limit=EVENTS_SHOWN + 1)
    stood, untold = _stood(visit, found)
    view = _past(visit, of, found, stood) if stood else _present(visit, of, found, untold)
    return Page("connection.html", view, f"{of.name}, {of.at}", has_live_parts=stood is None)


def same(visit: Visit) -> str | None:
    """Returns what names all that the page shows: its version, what holds it, and the time.

    By the minute what is told in words of time is told anew; where nothing is near, every five.
    """
    id_, own = visit.uuid("id"), visit.key.organization_id
    version = visit.shared.versions.of(id_)
    if version is None or own not in {None, version.organization_id}:
        return None
    around = _around(visit, version.provider)
    near = any(
        at and abs((at - visit.now).total_seconds()) < NEAR_SECONDS for at in version.instants
    )
    step = 60 if near or around is None else FAR_STEP_SECONDS
    return f"{id_} {version.text} {around} {int(visit.now.timestamp()) // step} {step}"


def _around(visit: Visit, provider: str) -> str | None:
    """Returns what names the pauses and processes of the last look; None where it knows them not."""
    look = visit.shared.looks.seen(visit.key.organization_id, patience_seconds=0.0).look
    if look is None or look.work is None:
        return None
    pauses = [(p.scope, p.key, p.reason, p.until) for p in look.pauses if p.provider == provider]
    running = {(p.role, p.locked) for p in look.work.activity.processes}
    return f"{pauses} {sorted(running)}"


def _present(visit: Visit, of: Subject, found: Findings, untold: str | None) -> ConnectionPage:
    standing = found.standing
    since = headlines.since(of.health, standing.moment, found.events)
    with visit.reading() as db:
        history, beside = _looked(visit, db, of, found)
    return ConnectionPage(
        of,
        found,
        standing.moment,
        connection_answer.now(of.health, found, since, *_clocks(visit)),
        _lives(visit, found, standing.moment, standing.now, since),
        history,
        beside,
        untold=untold,
    )


def _past(visit: Visit, of: Subject, found: Findings, stood: Then) -> ConnectionPage:
    with visit.reading() as db:
        names = api_keys.names(
            db, connection_events.key_ids(stood.events), visit.key.organization_id
        )
    newest_first = list(reversed(stood.events))
    shown = connection_events.rows(newest_first, None, found.standing.now, visit.zone, names)
    answer = connection_answer.then(found, stood, *_clocks(visit))
    return ConnectionPage(
        of,
        found,
        stood.moment,
        answer,
        _lives(visit, found, stood.moment, stood.at, None),
        History(shown, stood.moment.due_at),
        at=stood.at,
    )


def _looked(visit: Visit, db: Db, of: Subject, found: Findings) -> tuple[History, Beside]:
    root, before = found.standing.connection.id, _before(visit)
    page = list(reversed(found.events))
    if before is not None:
        page = events.recent(db, root, limit=EVENTS_SHOWN + 1, before=before)
    entries = audit.recent(db, connection_id=of.id, limit=ENTRIES_READ)
    notices = told.told_about(db, sorted({of.id, root}), visit.key.organization_id)
    siblings = lookup.using(db, of.id, limit=MOST_SIBLINGS) if of.siblings else []
    ids = connection_events.key_ids(page) | {entry.key_id for entry in entries}
    names = api_keys.names(db, ids, visit.key.organization_id)
    beside = Beside(
        siblings,
        connection_told.told(notices, _clocks(visit)[0]),
        connection_told.deeds(entries, names, _clocks(visit)[0], visit.zone),
    )
    shown, rest = page[:EVENTS_SHOWN], page[EVENTS_SHOWN:]
    older = rest[0] if rest else None
    rows = connection_events.rows(shown, older, found.standing.now, visit.zone, names)
    due = None if before else found.standing.moment.due_at
    return History(rows, due, shown[-1].id if older else None, before is None), beside


def _lives(
    visit: Visit, found: Findings, moment: Moment, now: datetime, refused_at: datetime | None
) -> Sequence[Life]:
    connection, provider = found.standing.connection, found.provider
    dead = headlines.health_at(moment, now) is Health.RECONNECT_REQUIRED
    facts = Lives(
        moment,
        now,
        provider.known_as if provider else connection.provider,
        has_access_token=connection.access_token is not None,
        has_refresh_token=connection.refresh_token is not None,
        is_sliding=provider is not None and provider.refresh_token_clock == "sliding",
        refused_at=refused_at if dead else None,
    )
    return connection_lives.lives(facts, _clocks(visit)[0])


def _stood(visit: Visit, found: Findings) -> tuple[Then | None, str | None]:
    """Returns how it stood at the instant that is asked for, or why that cannot be told."""
    given, now = visit.query.get("at", ""), found.standing.now
    if not given.strip():
        return None, None
    try:
        at = times.instant(given, now, visit.zone)
    except times.NoTime as error:
        return None, f'"{given}" {error}'
    if at > now:
        return None, f'"{given}" is in the future: events tell only what was'
    try:
        with visit.reading() as db:
            kept = found.settings.event_retention_days
            return looking.then(
                db, found.standing, at, kept_days=kept, instant=_clocks(visit)[0]
            ), None
    except CannotTell as error:
        return None, str(error)


def _clocks(visit: Visit) -> tuple[Instants, Instants]:
    """Returns how this session writes an instant, and how with its zone."""

    def clock(at: datetime) -> str:
        return moments.clock(at, visit.now, visit.zone)

    return clock, lambda at: f"{clock(at)} {at.astimezone(visit.zone):%Z}"


def _before(visit: Visit) -> int | None:
    given = visit.query.get("before", "")
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 19 else None


ROUTES = (Route("GET", "/ui/connections/{id}", show, section="connections", same=same),)
