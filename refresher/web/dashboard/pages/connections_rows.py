"""A row of the list of connections as it is read, and whether it has changed since."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from refresher.rules.standing_word import Health, Tone
from refresher.store import lists
from refresher.store.lists import Row
from refresher.store.session import Db
from refresher.web.dashboard import moments
from refresher.web.dashboard.visit import Visit

MOST_ROWS = 200
MARK = 6
NEVER = {
    Health.PAUSED: "when resumed",
    Health.DISABLED: "when enabled",
    Health.CONNECTING: "when connected",
}


@dataclass(frozen=True, slots=True)
class RowView:
    """`due` and `ends` are spans; `due_at` the instant beside, `note` what stands below the word."""

    row: Row
    provider: str
    note: str
    due: str
    due_at: datetime | None
    due_note: str
    ends: str
    ends_tone: Tone | str
    mark: str

    @property
    def account(self) -> str:
        """What the provider calls it; a token beside the main one has its own name."""
        return f"{self.row.external_id}, {self.row.slot}" if self.row.slot else self.row.external_id

    @property
    def next(self) -> str:
        """The next refresh in words of its own."""
        if self.row.health in NEVER:
            return f"refreshed {self.due}"
        return "" if self.due == "never" else f"next {self.due}"

    @property
    def app(self) -> str:
        """Its app, where it is not the usual one."""
        return "" if self.row.app == "default" else f"app {self.row.app}"


def row_view(visit: Visit, row: Row) -> RowView:
    """Returns a row in words."""
    is_over = row.expires_at is not None and row.expires_at <= visit.now
    due, due_note = _due(visit, row)
    return RowView(
        row=row,
        provider=visit.services.catalogue.known_as(row.provider),
        note=_note(visit, row),
        due=due,
        due_at=None if row.health in {*NEVER, Health.REFRESHING} else row.due_at,
        due_note=due_note,
        ends=moments.inside(row.expires_at, visit.now) if row.expires_at else "nobody tells",
        ends_tone=("bad" if row.health.tone == "bad" else "") if is_over else "",
        mark=_mark(row),
    )


def _due(visit: Visit, row: Row) -> tuple[str, str]:
    if row.health in NEVER:
        return NEVER[row.health], ""
    if row.health is Health.REFRESHING:
        return "now", f"claimed {moments.ago(row.since, visit.now)}" if row.since else ""
    return (moments.inside(row.due_at, visit.now) if row.due_at else "never"), ""


def _note(visit: Visit, row: Row) -> str:
    if row.health in {Health.PAUSED, Health.DISABLED} and row.since is not None:
        return f"since {moments.clock(row.since, visit.now, visit.zone)}"
    return row.note or ""


def marks(rows: Sequence[RowView]) -> str:
    """Returns which rows are shown, and as what: what a script asks with whether they changed."""
    return ".".join(f"{one.row.id.hex}{one.mark}" for one in rows)


def changed(visit: Visit, db: Db, shown: str) -> int:
    """Returns how many of the rows that are shown have changed, or are gone."""
    known = {}
    for text in shown.split(".")[:MOST_ROWS]:
        id_, mark = text[:-MARK], text[-MARK:]
        if re.fullmatch("[0-9a-f]{32}", id_):
            known[UUID(id_)] = mark
    own = visit.key.organization_id
    now = {r.id: _mark(r) for r in lists.rows(db, list(known)) if own in {None, r.organization_id}}
    return sum(now.get(id_) != mark for id_, mark in known.items())


def _mark(row: Row) -> str:
    """Returns what changes when somebody would see something else."""
    seen = (row.health, row.note, row.due_at, row.expires_at, row.failures, row.name, row.app)
    return sha256(repr(seen).encode()).hexdigest()[:MARK]
