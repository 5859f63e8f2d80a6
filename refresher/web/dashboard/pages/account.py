"""Account: whose key it is, how this browser shows things, which sessions there are; signing out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.store import audit, web_sessions
from refresher.web.dashboard.choices import KEPT_SECONDS, THEMES, chosen, written
from refresher.web.dashboard.moments import zone_of
from refresher.web.dashboard.protection import CHOICES, SESSION
from refresher.web.dashboard.routing import Goto, Mistaken, NotHere, Page, Route
from refresher.web.dashboard.visit import Visit
from refresher.web.reading import ID

SIGNED_OUT = "/ui/sign-in?signed_out=1"
ZONES = (
    *("UTC", "America/Los_Angeles", "America/New_York", "America/Sao_Paulo", "Europe/London"),
    *("Europe/Berlin", "Africa/Lagos", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore"),
    *("Asia/Tokyo", "Australia/Sydney"),
)
"""Offered first; any other of the IANA database may be typed."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session of the same key."""

    id: UUID
    is_this: bool
    read_only: bool
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class AccountView:
    """What the page shows."""

    sentence: str
    person: str | None
    themes: Sequence[tuple[str, str]]
    zones: Sequence[str]
    zone: str
    sessions: Sequence[SessionRow]


def show(visit: Visit) -> Page:
    """Shows the page."""
    return _page(visit, visit.choices.get("zone") or "UTC")


def look(visit: Visit) -> Goto:
    """Keeps how this browser shows things."""
    zone = visit.form.get("zone", "").strip()
    if zone_of(zone) is None:
        sentence = f"There is no time zone “{zone[:64]}”: write it as Europe/Berlin, or UTC."
        raise Mistaken(sentence, _page(visit, zone))
    slash = "on" if "slash" in visit.form else "off"
    wanted = chosen(written({"theme": visit.form.get("theme", ""), "zone": zone, "slash": slash}))
    visit.cookies.append((CHOICES, written(wanted), KEPT_SECONDS))
    return Goto("/ui/account", "Kept for this browser.")


def sign_out(visit: Visit) -> Goto:
    """Ends this session."""
    if visit.session.id is not None:
        visit.end_sessions(visit.key.id, visit.session.id)
    visit.cookies.append((SESSION, "", 0))
    return Goto(SIGNED_OUT)


def ask_sign_out(visit: Visit) -> Page:
    """Shows the button, for whoever came by the address."""
    return Page("sign_out.html", visit.session, "Sign out", has_live_parts=False)


def end(visit: Visit) -> Goto:
    """Ends another session of the same key, or all others."""
    given = visit.form.get("id", "")
    if given == "others":
        ended = [row for row in _rows(visit) if not row.is_this]
    elif ID.fullmatch(given):
        ended = [row for row in _rows(visit) if row.id == UUID(given)]
    else:
        raise NotHere
    for row in ended:
        visit.end_sessions(visit.key.id, row.id)
    with visit.database.transaction() as db:
        audit.note(db, visit.actor, "sessions_ended", visit.key.organization_id, "dashboard")
    said = "The session has ended." if len(ended) == 1 else f"{len(ended)} sessions have ended."
    return Goto("/ui/account", said)


def _page(visit: Visit, zone: str) -> Page:
    name = visit.session.person or visit.key.name
    themes = (("", "As the system"), *((theme, theme.capitalize()) for theme in THEMES))
    view = AccountView(
        sentence=f"You are signed in as {name}.",
        person=visit.session.person,
        themes=themes,
        zones=ZONES,
        zone=zone,
        sessions=_rows(visit),
    )
    return Page("account.html", view, "Account", has_live_parts=False)


def _rows(visit: Visit) -> list[SessionRow]:
    with visit.reading() as db:
        found = web_sessions.of_key(db, visit.key.id)
    return [
        SessionRow(
            one.id,
            one.id == visit.session.id,
            one.read_only,
            one.created_at,
            one.seen_at,
            one.ends_at,
        )
        for one in found
    ]


ROUTES = (
    Route("GET", "/ui/account", show),
    Route("POST", "/ui/account/look", look),
    Route("POST", "/ui/account/sessions", end),
    Route("GET", "/ui/sign-out", ask_sign_out),
    Route("POST", "/ui/sign-out", sign_out),
)
