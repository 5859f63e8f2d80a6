"""Puts together whom a person is sent to: entry, our app with its secret opened, host, placeholders."""

from __future__ import annotations

from refresher.rules.authorize import Party
from refresher.rules.clients import ClientCredentials, swapped
from refresher.rules.connect import Session
from refresher.rules.connection import App
from refresher.rules.placeholders import UnbuildableRequest
from refresher.runtime import clients
from refresher.runtime.services import Services
from refresher.store import oauth_apps
from refresher.store.session import Db


def party_of(services: Services, session: Session, host: str | None) -> Party:
    """Returns the party of a session; of two secrets of an app the one that was taken last is used.

    Raises `UnbuildableRequest` without the app, `UnknownProvider` without the entry, `CannotDecrypt`.
    """
    with services.database.reading() as db:
        return party_within(services, db, session, host)


def party_within(services: Services, db: Db, session: Session, host: str | None) -> Party:
    """Does the same in a transaction of the caller's."""
    provider, app = services.catalogue[session.provider], _app(db, session)
    client = clients.opened(services.cipher, app)
    if _has_two(client) and services.known_secrets.is_former(app):
        client = swapped(client)
    return Party(provider, client, host, session.placeholders)


def present_other_secret(services: Services, session: Session) -> None:
    """Has the other secret presented the next time, where an app has two and one was refused.

    Not at once: a code is sent once.
    """
    with services.database.reading() as db:
        app = _app(db, session)
    if _has_two(clients.opened(services.cipher, app)):
        known = services.known_secrets
        known.prefer(app, former=not known.is_former(app))


def _app(db: Db, session: Session) -> App:
    app = oauth_apps.find(db, session.provider, session.app_name)
    if app is None:
        raise UnbuildableRequest(f"there is no app {session.provider}/{session.app_name} any more")
    return app


def _has_two(client: ClientCredentials) -> bool:
    return client.previous_client_secret is not None
