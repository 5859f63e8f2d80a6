"""One app: is it taken, and the form that stores its id and secret. A secret only goes in.

What happens to the old secret is asked each time. Keys and certificates come from files: for them the
page says the command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from refresher.catalogue import AppEntry
from refresher.connections import oauth_apps as storing
from refresher.errors import CannotDecrypt, InvalidApp
from refresher.rules.access import Scope
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import ParkReason, Secret
from refresher.rules.needs import Words
from refresher.rules.provider_standing import Tone
from refresher.rules.providers import CERTIFIED, SIGNING_GRANT, ClientAuth, Provider
from refresher.rules.words import amount
from refresher.store import inspection, oauth_apps
from refresher.store.oauth_apps import AppView
from refresher.store.session import Db
from refresher.web.dashboard.pages import app_rows
from refresher.web.dashboard.pages.app_rows import PREVIOUS
from refresher.web.dashboard.pages.providers import link as provider_link
from refresher.web.dashboard.routing import Goto, Mistaken, NotHere, Page, Route
from refresher.web.dashboard.visit import Visit

MOST_CHARACTERS = 4_096
KEEP, FORGET = "keep", "forget"
CHANGED = "It changed meanwhile: look at it as it is now, and send the form again."
KEYS = frozenset({ClientAuth.PRIVATE_KEY_JWT})


@dataclass(frozen=True, slots=True)
class AppPage:
    """What the page shows; `app` is None where none is stored. Of the form only the id is kept.

    `command` takes the place of the form where files are needed, `none_needed` where nothing is.
    """

    provider: str
    title: str
    provider_link: str
    name: str
    link: str
    sentence: str
    more: Words
    tone: Tone
    app: AppView | None
    etag: str
    origin: str
    besides: Sequence[str]
    has_previous: bool
    client_id: str
    no_secret: bool
    old_secret: str
    command: str | None
    none_needed: bool
    public_only: bool


def show(visit: Visit) -> Page:
    """Shows an app, or the form for one that is not stored."""
    return _page(visit)


def store(visit: Visit) -> Goto:
    """Stores id and secret; connections that waited for it go on."""
    page = _page(visit, visit.form)
    view = page.view
    assert isinstance(view, AppPage)
    if visit.form.get("if_match", "") != view.etag:
        raise Mistaken(CHANGED, page, 409)
    client_id, secret = _given(view, visit.form, page)
    keeps_old = visit.form.get("old_secret") == KEEP
    client = ClientCredentials(client_id, secret)
    services = visit.services
    try:
        changed = storing.store_secret(
            services.database,
            services.cipher,
            AppEntry(view.provider, client, view.name),
            services.catalogue.get(view.provider),
            visit.actor,
            keeps_old=keeps_old,
        )
    except InvalidApp as error:
        raise Mistaken(f"{error}.".replace("..", "."), page) from None
    visit.shared.providers.forget()
    return Goto(view.link, _stored(view, changed=changed))


def end_rotation(visit: Visit) -> Goto:
    """Forgets the secret before."""
    page = _page(visit)
    view = page.view
    assert isinstance(view, AppPage)
    if view.app is None:
        raise NotHere
    if visit.form.get("if_match", "") != view.etag:
        raise Mistaken(CHANGED, page, 409)
    services = visit.services
    try:
        ended = storing.end_rotation(
            services.database, services.cipher, view.provider, view.name, visit.actor
        )
    except CannotDecrypt:
        sentence = "No key opens what is stored of this app: store its secret anew."
        raise Mistaken(sentence, page) from None
    return Goto(view.link, "It has one secret." if ended else "It had one secret already.")


def _given(view: AppPage, form: Mapping[str, str], page: Page) -> tuple[str, Secret | None]:
    """Returns the id and the secret; raises `Mistaken`, which never repeats a secret."""
    client_id, secret = form.get("client_id", "").strip(), form.get("client_secret", "").strip()
    if view.command is not None or view.none_needed:
        raise Mistaken("This app is not stored here: see below.", page)
    if fault := _fault("The client id", client_id):
        raise Mistaken(fault, page)
    if view.no_secret and secret:
        raise Mistaken("Either it has a secret, or it is a public client: not both.", page)
    if view.no_secret:
        return client_id, None
    if fault := _fault("The client secret", secret):
        raise Mistaken(fault, page)
    if view.app is not None and view.app.has_secret and view.old_secret not in {KEEP, FORGET}:
        raise Mistaken("Say what happens to the old secret.", page)
    return client_id, Secret(secret)


def _fault(what: str, text: str) -> str | None:
    if not text:
        return f"{what} is missing."
    if len(text) > MOST_CHARACTERS:
        return f"{what} is longer than {MOST_CHARACTERS:,} characters."
    if not text.isascii() or not text.isprintable():
        return f"{what} has characters that none may have: copy it anew."
    return None


def _stored(view: AppPage, *, changed: bool) -> str:
    key = f"{view.provider}/{view.name}"
    if not changed:
        return f"{key} was stored like that already."
    return f"{key} is stored. Connections that waited for it go on, spread over a few seconds."


def _page(visit: Visit, form: Mapping[str, str] | None = None) -> Page:
    provider, name = visit.parts["provider"], visit.parts["name"]
    entry = visit.services.catalogue.get(provider)
    with visit.reading() as db:
        app = oauth_apps.show(db, provider, name)
        if app is None and (entry is None or not app_rows.is_name(name)):
            raise NotHere
        sentence, more, tone = _standing(db, provider, name, entry, app)
    key = f"{provider}/{name}"
    view = AppPage(
        provider=provider,
        title=entry.known_as if entry else provider,
        provider_link=provider_link(provider),
        name=name,
        link=app_rows.link(provider, name),
        sentence=sentence,
        more=more,
        tone=tone,
        app=app,
        etag=_etag(app),
        origin="providers file" if key in {a.key for a in visit.services.catalogue.apps} else "",
        besides=[one for one in app.material if one != PREVIOUS] if app else [],
        has_previous=app is not None and PREVIOUS in app.material,
        client_id=(form or {}).get("client_id", app.client_id if app else ""),
        no_secret="no_secret" in (form or {}),
        old_secret=(form or {}).get("old_secret", ""),
        command=_command(provider, name, entry),
        none_needed=entry is not None and not entry.needs_app,
        public_only=entry is not None and entry.client_auth is ClientAuth.NONE,
    )
    return Page("app.html", view, key, has_live_parts=False)


def _etag(app: AppView | None) -> str:
    return app.updated_at.isoformat() if app else "none"


def _command(provider: str, name: str, entry: Provider | None) -> str | None:
    """Returns the command that stores an app whose key or certificate comes from a file."""
    if entry is None:
        return None
    if entry.client_auth in CERTIFIED:
        files = "--no-secret --certificate-file app.pem --certificate-key-file app.key"
    elif entry.client_auth in KEYS or entry.strategy in SIGNING_GRANT:
        files = "--no-secret --private-key-file app.key"
    else:
        return None
    named = "" if name == "default" else f" --name {name}"
    return f"refresher apps set {provider}{named} --client-id YOUR_CLIENT_ID {files}"


def _standing(
    db: Db, provider: str, name: str, entry: Provider | None, app: AppView | None
) -> tuple[str, Words, Tone]:
    title = entry.known_as if entry else provider
    if app is None:
        waiting = _lacking(db, provider, name)
        wait = (f"{amount(waiting, 'connection waits', 'connections wait')} for it.",)
        if waiting:
            return f"No app {provider}/{name} is stored.", wait, "bad"
        return f"No app {provider}/{name} is stored.", ("No connection waits for it.",), "still"
    if app.pause_reason is not None and app.paused_until is not None:
        waiting = app_rows.waiting(db, provider).get((provider, name), 0)
        wait = (f"{amount(waiting, 'connection waits', 'connections wait')}. ",)
        more = (*wait, *_next(app.paused_until), "A right secret lets all go on at once.")
        return f"{title} refuses it: {app.pause_reason}.", more, "bad"
    if PREVIOUS in app.material:
        more = ("Whichever is refused, the other is tried, until the old one is forgotten.",)
        return "It has two secrets.", more, "warn"
    return "Nothing is known against it.", (), "good"


def _next(until: datetime) -> Words:
    return ("One of them tries again at ", until, ". ")


def _lacking(db: Db, provider: str, name: str) -> int:
    found = inspection.parked_for(db, ParkReason.APP_NOT_CONFIGURED)
    return sum(number for one, app, number in found if (one, app) == (provider, name))


ROUTES = (
    Route("GET", "/ui/apps/{provider}/{name}", show, everybody=True, section="apps"),
    Route("POST", "/ui/apps/{provider}/{name}", store, Scope.ADMIN, everybody=True, section="apps"),
    Route(
        "POST",
        "/ui/apps/{provider}/{name}/end-rotation",
        end_rotation,
        Scope.ADMIN,
        everybody=True,
        section="apps",
    ),
)
