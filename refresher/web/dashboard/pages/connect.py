"""Connect an account by hand: which provider, for whom; the link is shown once, to be handed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from refresher.connections import connect
from refresher.connections.connect import Made, Order
from refresher.errors import ConnectRefused, NoSuchSession, QuotaReached, UnknownProvider
from refresher.rules import redirects
from refresher.rules.access import Scope
from refresher.rules.connect import Flow, State
from refresher.rules.connect_view import SessionView, connecting, view
from refresher.rules.providers import Provider
from refresher.rules.words import many
from refresher.store import oauth_apps
from refresher.store.connect import SessionFilter
from refresher.web.dashboard.routing import Answer, Goto, Mistaken, NotHere, Page, Route
from refresher.web.dashboard.visit import Visit

PATTERN = "/ui/connect"
MOST_SESSIONS = 20
FIELDS = ("provider", "app", "organization", "external_id", "scopes", "host", "placeholders")


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider whose accounts can be connected here, and our apps there."""

    name: str
    title: str
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connecting:
    """The page: what can be chosen, what was typed, what is under way, and the link that was made."""

    able: tuple[Choice, ...]
    why_nobody: str | None
    typed: Mapping[str, str]
    sessions: tuple[SessionView, ...]
    others: Mapping[str, tuple[str, ...]] | None = None
    made: Made | None = field(default=None, repr=False)

    @property
    def apps(self) -> tuple[str, ...]:
        """The names of our apps, each once."""
        return tuple(dict.fromkeys(name for one in self.able for name in one.apps))

    @property
    def open(self) -> tuple[SessionView, ...]:
        """Those under way."""
        return tuple(one for one in self.sessions if one.state is not State.ENDED)


def show(visit: Visit) -> Page:
    """Shows the form; the address may fill it in."""
    typed = {name: visit.query.get(name, "") for name in FIELDS}
    return _page(_connecting(visit, typed))


def make(visit: Visit) -> Answer:
    """Makes a session, and shows its link once."""
    typed = {name: visit.form.get(name, "").strip() for name in FIELDS}
    form = _connecting(visit, typed)
    try:
        made = connect.make(visit.services, _order(visit, typed), visit.actor)
    except (ConnectRefused, QuotaReached, UnknownProvider) as refused:
        raise Mistaken(f"No link was made: {refused}.", _page(form)) from None
    except ValueError as wrong:
        raise Mistaken(f"No link was made: {wrong}.", _page(form)) from None
    return _page(replace(_connecting(visit, dict.fromkeys(FIELDS, "")), made=made))


def cancel(visit: Visit) -> Goto:
    """Ends a session: its link leads nowhere any more."""
    try:
        ended = connect.cancel(visit.services, visit.uuid("session"), visit.actor)
    except NoSuchSession:
        raise NotHere from None
    back = PATTERN
    if "back" in visit.form and ended.connection_id is not None:
        back = f"/ui/connections/{ended.connection_id}/link"
    was = "is cancelled: its link leads nowhere" if ended.outcome == "cancelled" else "had ended"
    return Goto(back, f"The connect session {was}.")


def _order(visit: Visit, typed: Mapping[str, str]) -> Order:
    if not typed["provider"]:
        raise ValueError("choose a provider")
    organization = typed["organization"] or visit.organization_id
    if not organization:
        raise ValueError("say for which organization")
    return Order(
        organization_id=organization,
        provider=typed["provider"],
        external_id=typed["external_id"] or None,
        app=typed["app"] or None,
        host=typed["host"] or None,
        placeholders=_placeholders(typed["placeholders"]),
        scopes=tuple(typed["scopes"].split()),
        flow=Flow.LINK,
    )


def _placeholders(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not (mark and name.strip()) for name, mark, _ in pairs):
        raise ValueError("the placeholders: write each as name=value on a line of its own")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _connecting(visit: Visit, typed: Mapping[str, str]) -> Connecting:
    services, settings = visit.services, visit.services.settings
    with visit.reading() as db:
        names = oauth_apps.names(db)
    fault = redirects.public_url_fault(settings.public_url)
    why = fault if settings.connect else "REFRESHER_CONNECT is false: nobody connects here"
    known = services.catalogue.those({provider for provider, _ in names})
    able = [one for one in known if _why_not(visit, one, names) is None]
    choices = [
        Choice(
            one.name, one.known_as, tuple(sorted(app for name, app in names if name == one.name))
        )
        for one in sorted(able, key=lambda one: one.known_as.lower())
    ]
    if why is None and not able:
        why = "No app of ours is stored at a provider where people can connect"
    chosen = SessionFilter(organization_id=visit.organization_id)
    found = connect.listed(services, chosen, visit.actor, limit=MOST_SESSIONS)
    others = _others(visit, names) if "others" in visit.query else None
    return Connecting(tuple(choices), why, typed, tuple(view(one) for one in found), others)


def _why_not(visit: Visit, provider: Provider, names: set[tuple[str, str]]) -> str | None:
    settings = visit.services.settings
    has_app = any(name == provider.name for name, _ in names)
    return connecting(
        provider, settings.public_url, is_on=settings.connect, has_app=has_app
    ).why_not


def _others(visit: Visit, names: set[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Returns the providers whose accounts cannot be connected, by the reason."""
    found: dict[str, list[str]] = {}
    for provider in visit.services.catalogue.providers:
        why = _why_not(visit, provider, names)
        if why is not None:
            without_name = why.replace(f"apps set {provider.name}`", "apps set PROVIDER`")
            found.setdefault(without_name, []).append(provider.known_as)
    return {why: tuple(titles) for why, titles in found.items()}


def _page(form: Connecting) -> Page:
    title = "Connect an account"
    return Page("connect.html", form, title, more={"many": many}, has_live_parts=True)


_POST: dict[str, Any] = {"scope": Scope.WRITE, "or_scope": Scope.CONNECT, "section": "connections"}
ROUTES = (
    Route("GET", PATTERN, show, section="connections"),
    Route("POST", PATTERN, make, **_POST),
    Route("POST", PATTERN + "/{session}/cancel", cancel, **_POST),
)
