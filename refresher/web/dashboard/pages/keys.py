"""Keys: who may what. A key is shown once, when it is made; what it does stands on the page Audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from refresher.connections import api_keys
from refresher.connections.api_keys import NoSuchKey
from refresher.rules.access import ApiKey, Scope
from refresher.rules.words import many
from refresher.store import api_keys as stored
from refresher.store import audit, web_sessions
from refresher.store.web_sessions import StoredSession
from refresher.web.dashboard.asking import mistakes_on, place
from refresher.web.dashboard.pages.audit import Line, told
from refresher.web.dashboard.routing import Goto, NotHere, Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.paging import read_texts, write
from refresher.web.problems import Problem

A_PAGE, MOST_CHARACTERS = 50, 512
DAY_SECONDS = 86_400.0
MOST_DAYS = 36_600
LISTING = "keys"
MAY = {
    Scope.READ: "sees everything but tokens",
    Scope.WRITE: "registers, refreshes, steers and deletes connections",
    Scope.CONNECT: "makes connect sessions, and looks at them",
    Scope.ADMIN: "apps, keys and doctor, for a key of all organizations",
    Scope.TOKEN: "reads access tokens",
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is listed."""

    key: ApiKey
    state: str
    tone: Tone
    is_ours: bool


@dataclass(frozen=True, slots=True)
class KeysView:
    """A page of the list."""

    sentence: str
    rows: Sequence[KeyRow]
    next: str | None
    said: str | None


@dataclass(frozen=True, slots=True)
class KeyView:
    """One key: what it may, where it is signed in, what it did lately."""

    row: KeyRow
    sessions: Sequence[StoredSession]
    entries: Sequence[Line]


@dataclass(frozen=True, slots=True)
class NewKeyView:
    """The form for a new key, with what was typed."""

    scopes: Sequence[tuple[str, str]]
    name: str = ""
    organization: str = ""
    days: str = ""
    chosen: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MadeView:
    """A new key, and its text, which is shown this once."""

    key: ApiKey
    text: str = field(repr=False)


def list_(visit: Visit) -> Page:
    """Shows the keys, the newest first."""
    at, said = place(_place, LISTING, visit.query.get("cursor"))
    with visit.reading() as db:
        found = stored.newest(db, before=at, limit=A_PAGE + 1)
    rows = [_row(visit, key) for key in found[:A_PAGE]]
    last = rows[-1].key if len(found) > A_PAGE else None
    next_ = write(LISTING, [last.created_at.isoformat(), last.id]) if last else None
    is_whole = at is None and next_ is None
    view = KeysView(_sentence(rows, is_whole=is_whole), rows, next_, said)
    return Page("keys.html", view, "Keys and audit")


def show(visit: Visit) -> Page:
    """Shows one key."""
    return _key_page(visit, "key.html")


def ask_revoke(visit: Visit) -> Page:
    """Asks before a key is revoked, and tells when it was used."""
    return _key_page(visit, "key_revoke.html")


def ask_create(visit: Visit) -> Page:
    """Shows the form for a new key."""
    return _form(visit)


def create(visit: Visit) -> Page:
    """Makes a key with no more scopes than the maker's, and shows it, once."""
    with mistakes_on(lambda: _form(visit)):
        scopes = _scopes(visit)
        name = _clean(visit, "name")
        if not name:
            raise Problem("invalid_body", "name: it is missing; say who uses the key")
        made = api_keys.create(
            visit.database,
            name=name,
            scopes=scopes,
            organization_id=_clean(visit, "organization") or None,
            expires_in_seconds=_seconds(visit),
            by=visit.actor,
        )
    view = MadeView(made.key, made.text.reveal())
    return Page("key_made.html", view, "A new key", has_live_parts=False)


def revoke(visit: Visit) -> Goto:
    """Revokes a key: its sessions are refused as it is, and whoever has one is told why."""
    try:
        revoked = api_keys.revoke(visit.database, visit.parts["id"], by=visit.actor)
    except NoSuchKey:
        raise NotHere from None
    with visit.reading() as db:
        ended = len(web_sessions.of_key(db, revoked.id))
    more = f" {many(ended, 'session')} ended with it." if ended else ""
    said = f"{revoked.name} is revoked: every process refuses it within a second or two.{more}"
    return Goto("/ui/keys", said)


def end_sessions(visit: Visit) -> Goto:
    """Signs out whoever is signed in with a key; the key itself goes on."""
    key = _found(visit)
    ended = visit.end_sessions(key.id)
    with visit.database.transaction() as db:
        audit.note(db, visit.actor, "sessions_ended", key.organization_id, f"key:{key.id}")
    what = "1 session has ended" if ended == 1 else f"{ended} sessions have ended"
    return Goto(f"/ui/keys/{key.id}", f"{what}: whoever has the key can sign in again.")


def _key_page(visit: Visit, template: str) -> Page:
    key = _found(visit)
    with visit.reading() as db:
        sessions = web_sessions.of_key(db, key.id)
        entries = told(db, audit.recent(db, key_id=key.id, limit=10), visit)
    view = KeyView(_row(visit, key), sessions, entries)
    return Page(template, view, key.name, has_live_parts=False)


def _form(visit: Visit) -> Page:
    offered = [(scope.value, MAY[scope]) for scope in Scope if scope in visit.key.scopes]
    given = {name: visit.form.get(name, "") for name in ("name", "organization", "days")}
    view = NewKeyView(offered, **given, chosen=visit.forms("scope"))
    return Page("key_create.html", view, "Make a key", has_live_parts=False)


def _found(visit: Visit) -> ApiKey:
    with visit.reading() as db:
        key, _ = stored.find(db, visit.parts["id"])
    if key is None:
        raise NotHere
    return key


def _row(visit: Visit, key: ApiKey) -> KeyRow:
    is_ours = key.id == visit.key.id
    if key.revoked_at is not None:
        return KeyRow(key, "revoked", "still", is_ours)
    if key.expires_at is not None and key.expires_at <= visit.now:
        return KeyRow(key, "ended", "still", is_ours)
    if key.last_used_at is None:
        return KeyRow(key, "never used", "warn", is_ours)
    return KeyRow(key, "in use", "good", is_ours)


def _sentence(rows: Sequence[KeyRow], *, is_whole: bool) -> str:
    able = sum(row.tone != "still" for row in rows)
    if not is_whole:
        return f"{many(able, 'key')} of this page {'works' if able == 1 else 'work'}."
    ended = len(rows) - able
    more = f"; {ended} {'has' if ended == 1 else 'have'} ended" if ended else ""
    return f"{many(able, 'key')} {'works' if able == 1 else 'work'}{more}."


def _scopes(visit: Visit) -> set[Scope]:
    given = set(visit.forms("scope"))
    if not given:
        raise Problem("invalid_body", "scope: choose one at least")
    wanted = {scope for scope in Scope if scope in given}
    if len(wanted) != len(given) or not wanted <= visit.key.scopes:
        raise Problem("scope_missing", "a key may have no more scopes than the one that makes it")
    return wanted


def _seconds(visit: Visit) -> float | None:
    text = visit.form.get("days", "").strip()
    if not text:
        return None
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0.001 <= days <= MOST_DAYS:
        raise Problem("invalid_body", f"days: give a number up to {MOST_DAYS:,}, or nothing")
    return days * DAY_SECONDS


def _clean(visit: Visit, name: str) -> str:
    text = visit.form.get(name, "").strip()
    if len(text) > MOST_CHARACTERS or not text.isprintable():
        raise Problem("invalid_body", f"{name}: it is too long, or has a control character")
    return text


def _place(listing: object, cursor: str | None) -> tuple[datetime, str] | None:
    found = read_texts(listing, cursor, 2)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[0]), found[1]
    except ValueError:
        raise Problem("invalid_cursor", "it holds no instant") from None


ROUTES = (
    Route("GET", "/ui/keys", list_, everybody=True, section="keys"),
    Route("GET", "/ui/keys/create", ask_create, Scope.ADMIN, everybody=True, section="keys"),
    Route("POST", "/ui/keys/create", create, Scope.ADMIN, everybody=True, section="keys"),
    Route("GET", "/ui/keys/{id}", show, everybody=True, section="keys"),
    Route("GET", "/ui/keys/{id}/revoke", ask_revoke, Scope.ADMIN, everybody=True, section="keys"),
    Route("POST", "/ui/keys/{id}/revoke", revoke, Scope.ADMIN, everybody=True, section="keys"),
    Route(
        "POST", "/ui/keys/{id}/sessions", end_sessions, Scope.ADMIN, everybody=True, section="keys"
    ),
)
