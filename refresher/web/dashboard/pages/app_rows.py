"""Our OAuth clients as rows: which there are, and whether they are taken. Never a secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from refresher.catalogue.tables import NAME_PATTERN
from refresher.insight.provider_looks import MOST_LOOKED_BEHIND
from refresher.rules.connection import ParkReason
from refresher.rules.provider_standing import Tone
from refresher.rules.reasons import page_of
from refresher.store import inspection, oauth_apps, pause_list, troubles
from refresher.store.oauth_apps import AppView
from refresher.store.pause_list import Chosen
from refresher.store.session import Db
from refresher.web.dashboard.visit import Visit

SHOWN_WHOLE, EACH_END = 12, 4
PREVIOUS = "previous_client_secret"


@dataclass(frozen=True, slots=True)
class AppRow:
    """An app: its state, its client id in short, what is stored of it, and who waits for it.

    `client_id` is None where connections name an app that is not stored.
    """

    provider: str
    title: str
    name: str
    link: str
    word: str
    tone: Tone
    note: str
    client_id: str | None
    secret: str
    besides: Sequence[str]
    origin: str
    waiting: int
    changed_at: datetime | None
    paused_until: datetime | None

    @property
    def key(self) -> str:
        """What it is called: `google/default`."""
        return f"{self.provider}/{self.name}"


def link(provider: str, name: str) -> str:
    """Returns the address of an app's page."""
    return page_of("apps", provider, name)


def is_name(text: str) -> bool:
    """Whether an app may be called so."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def rows(visit: Visit, db: Db, provider: str | None = None) -> list[AppRow]:
    """Returns the apps, of one provider or of all: those that are lacking, or refused, first."""
    stored = [one for one in oauth_apps.every(db) if provider in {None, one.provider}]
    waits = waiting(db, provider)
    of_file = {(one.provider, one.name) for one in visit.services.catalogue.apps}
    have = {(one.provider, one.name) for one in stored}
    lacking = [
        _lacking(visit, name, app, number)
        for name, app, number in inspection.parked_for(db, ParkReason.APP_NOT_CONFIGURED)
        if provider in {None, name} and (name, app) not in have
    ]
    found = [_row(visit, one, of_file, waits) for one in stored]
    return lacking + sorted(found, key=lambda row: (row.tone == "good", row.key))


def waiting(db: Db, provider: str | None) -> dict[tuple[str, str], int]:
    """Returns how many connections wait until an app is taken again, by provider and app."""
    held = pause_list.held(db, Chosen(provider, scope="app"))[:MOST_LOOKED_BEHIND]
    behind = troubles.behind(db, [f"{one.scope}:{one.key}" for one in held]) if held else {}
    counts: dict[tuple[str, str], int] = {}
    for one in held:
        key = one.provider, one.app or "default"
        counts[key] = counts.get(key, 0) + behind[f"{one.scope}:{one.key}"].waiting
    return counts


def shortened(client_id: str) -> str:
    """Returns as much of a client id as tells it from others."""
    if len(client_id) <= SHOWN_WHOLE:
        return client_id
    return f"{client_id[:EACH_END]}…{client_id[-EACH_END:]}"


def _row(
    visit: Visit, app: AppView, of_file: set[tuple[str, str]], waits: dict[tuple[str, str], int]
) -> AppRow:
    is_refused = app.pause_reason is not None
    return AppRow(
        provider=app.provider,
        title=visit.services.catalogue.known_as(app.provider),
        name=app.name,
        link=link(app.provider, app.name),
        word="refused" if is_refused else "taken",
        tone="bad" if is_refused else "good",
        note=app.pause_reason or "",
        client_id=shortened(app.client_id),
        secret="stored, sealed" if app.has_secret else "none: a public client",
        besides=app.material,
        origin="providers file" if (app.provider, app.name) in of_file else "stored",
        waiting=waits.get((app.provider, app.name), 0),
        changed_at=app.updated_at,
        paused_until=app.paused_until if is_refused else None,
    )


def _lacking(visit: Visit, provider: str, name: str, waiting: int) -> AppRow:
    return AppRow(
        provider=provider,
        title=visit.services.catalogue.known_as(provider),
        name=name,
        link=link(provider, name),
        word="not stored",
        tone="bad",
        note="connections wait for it",
        client_id=None,
        secret="",
        besides=(),
        origin="",
        waiting=waiting,
        changed_at=None,
        paused_until=None,
    )
