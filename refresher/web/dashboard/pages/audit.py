"""Audit: who did what, the newest first; of one key, or about one connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.store import api_keys, audit, connections
from refresher.store.audit import PastAuditEntry
from refresher.store.session import Db
from refresher.web.dashboard.asking import place
from refresher.web.dashboard.routing import Page, Route
from refresher.web.dashboard.visit import Visit
from refresher.web.paging import read_number, write
from refresher.web.reading import ID

A_PAGE = 50
MOST_CHARACTERS = 512
PERSON = "by "
"""What stands before a person whom a proxy let in (`Actor.about`)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it is shown: `who` is a key's name, or a person such as `cli:ann`."""

    at: datetime
    did: str
    who: str
    key_id: str | None
    person: str | None
    what: str
    connection_id: UUID | None
    organization_id: str | None
    count: int


@dataclass(frozen=True, slots=True)
class AuditView:
    """A page of the audit, and what it is narrowed to."""

    sentence: str
    lines: Sequence[Line]
    key: str
    connection: str
    next: str | None
    is_cut: bool
    said: str | None


def show(visit: Visit) -> Page:
    """Shows who did what."""
    key, connection, said = _wanted(visit)
    listing = ("audit", visit.organization_id, key, str(connection or ""))
    before, lost = place(read_number, listing, visit.query.get("cursor"))
    with visit.reading() as db:
        own = visit.key.organization_id
        is_own = connection is not None and connections.find(db, connection, own) is not None
        found = audit.look(
            db,
            organization_id=visit.organization_id,
            key_id=key or None,
            connection_id=connection,
            before=before,
            limit=A_PAGE,
            by_organization=own is not None and not is_own,
        )
        lines = told(db, found.entries, visit)
    next_ = write(listing, [found.further]) if found.further is not None else None
    view = AuditView(
        sentence=_sentence(lines, is_first=before is None),
        lines=lines,
        key=key,
        connection=str(connection or ""),
        next=next_,
        is_cut=next_ is not None and len(lines) < A_PAGE,
        said=said or lost,
    )
    return Page("audit.html", view, "Audit")


def told(db: Db, entries: Sequence[PastAuditEntry], visit: Visit) -> list[Line]:
    """Returns entries as they are shown, keys by those names that the visitor may know."""
    names = api_keys.names(db, {one.key_id for one in entries}, visit.key.organization_id)
    return [_line(one, names) for one in entries]


def _line(one: PastAuditEntry, names: Mapping[str, str]) -> Line:
    what, person = parted(one.subject)
    return Line(
        at=one.occurred_at,
        did=one.action.replace("_", " "),
        who=names.get(one.key_id, one.key_id),
        key_id=one.key_id,
        person=person,
        what=what,
        connection_id=one.connection_id,
        organization_id=one.organization_id,
        count=one.count,
    )


def parted(subject: str | None) -> tuple[str, str | None]:
    """Returns what an entry is about, and the person whom a proxy let in, if one."""
    text = subject or ""
    if text.startswith(PERSON):
        return "", text.removeprefix(PERSON)
    what, between, person = text.rpartition(f", {PERSON}")
    return (what, person) if between else (text, None)


def _wanted(visit: Visit) -> tuple[str, UUID | None, str | None]:
    """Returns the key and the connection that are asked for; what makes no sense is left out."""
    key = visit.query.get("key", "").strip()
    connection = visit.query.get("connection", "").strip().lower()
    if len(key) > MOST_CHARACTERS or not key.isprintable():
        return "", None, "No key has such an id: this is the audit of all."
    if connection and not ID.fullmatch(connection):
        return key, None, "A connection's id is a UUID: this is the audit of all."
    return key, UUID(connection) if connection else None, None


def _sentence(lines: Sequence[Line], *, is_first: bool) -> str:
    if not lines:
        return "Nothing stands there."
    last = lines[0]
    first = "The last deed" if is_first else "The newest of these deeds"
    return f"{first}: {last.did}, by {last.person or last.who}."


ROUTES = (Route("GET", "/ui/audit", show, section="keys"),)
