"""Stores our OAuth clients: secrets sealed, and nothing written where nothing changed.

The table is `store/apps.py`; the entries of the providers file come from `catalogue/`. Storing an app
lifts its pause and resumes connections that waited for it, so it must not happen without need.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from refresher.catalogue import AppEntry, Catalogue, checked_app
from refresher.catalogue.watching import Stamp, stamp
from refresher.errors import CannotDecrypt, InvalidApp, NoSuchApp
from refresher.rules.access import Actor
from refresher.rules.clients import ClientCredentials, material_names
from refresher.rules.connection import App, Secret
from refresher.rules.providers import Provider
from refresher.runtime import clients
from refresher.runtime.cipher import Cipher
from refresher.runtime.parts import catalogue_from
from refresher.runtime.services import Services
from refresher.store import audit, oauth_apps
from refresher.store.session import Database

PROVIDERS_FILE = Actor("file:providers")
"""Who stores an app, in the audit, where nobody does but the file that names it."""


def store_app(
    database: Database, cipher: Cipher, app: AppEntry, by: Actor = PROVIDERS_FILE
) -> bool:
    """Stores one app; False when exactly that was stored already."""
    with database.transaction() as db:
        stored = oauth_apps.find(db, app.provider, app.name)
        if stored and _opened(cipher, stored) == app.client:
            return False
        sealed = clients.sealed(cipher, oauth_apps.app_id(app.provider, app.name), app.client)
        oauth_apps.put(
            db,
            app.provider,
            app.name,
            sealed.client_id,
            sealed.client_secret,
            sealed.material,
            material_names(app.client),
        )
        audit.note(db, by, "app_stored", subject=f"app:{app.provider}/{app.name}")
    return True


def store_secret(
    database: Database,
    cipher: Cipher,
    app: AppEntry,
    provider: Provider | None,
    by: Actor,
    *,
    keeps_old: bool = False,
) -> bool:
    """Stores the id and the secret of an app, new or not; False: they are stored already.

    Whatever else is stored of it stays. With `keeps_old` the secret before stays beside the new one,
    where both are of the same client id. Raises `InvalidApp` where its provider asks for more.
    """
    with database.transaction() as db:
        stored = oauth_apps.find(db, app.provider, app.name)
    before = _opened(cipher, stored) if stored else None
    client = app.client
    if before is not None:
        is_same = (
            before.client_id == client.client_id and before.client_secret != client.client_secret
        )
        client = replace(
            before,
            client_id=client.client_id,
            client_secret=client.client_secret,
            previous_client_secret=before.client_secret if keeps_old and is_same else None,
        )
    return store_app(database, cipher, replace(app, client=checked_app(client, provider)), by)


def rotate_secret(
    database: Database, cipher: Cipher, provider: str, name: str, secret: Secret, by: Actor
) -> bool:
    """Stores a new client secret, and the one that it follows beside it; False: it is stored already.

    Until `end_rotation`, whichever is refused, the other is tried. Raises `NoSuchApp`, or `InvalidApp`
    for a client that has no secret, and `CannotDecrypt`.
    """
    client = _stored_client(database, cipher, provider, name)
    if not client.client_secret:
        raise InvalidApp(f"{provider}/{name} is a public client: it has no secret to follow")
    if client.client_secret == secret:
        return False
    changed = replace(client, client_secret=secret, previous_client_secret=client.client_secret)
    return store_app(database, cipher, AppEntry(provider, changed, name), by)


def end_rotation(database: Database, cipher: Cipher, provider: str, name: str, by: Actor) -> bool:
    """Forgets the secret before; False when there is none. Raises `NoSuchApp` or `CannotDecrypt`."""
    client = _stored_client(database, cipher, provider, name)
    changed = replace(client, previous_client_secret=None)
    return store_app(database, cipher, AppEntry(provider, changed, name), by)


def _stored_client(
    database: Database, cipher: Cipher, provider: str, name: str
) -> ClientCredentials:
    with database.transaction() as db:
        stored = oauth_apps.find(db, provider, name)
        if stored is None:
            raise NoSuchApp(provider, name, oauth_apps.names(db))
    return clients.opened(cipher, stored)


def sync_apps(services: Services, catalogue: Catalogue | None = None) -> list[str]:
    """Stores the apps of the providers file that are new or differ; returns them as `google/default`.

    Apps that the file does not name, or whose secret is not there, stay as they are.
    """
    return [
        app.key
        for app in (catalogue or services.catalogue).apps
        if store_app(services.database, services.cipher, app)
    ]


def secret_files(catalogue: Catalogue) -> dict[Path, Stamp | None]:
    """Returns the files that hold clients' secrets and keys, each with its stamp; None: it is away."""
    named = [file for app in catalogue.apps for file in app.files]
    named += [one.secret_file for one in catalogue.unusable if one.secret_file]
    return {path: stamp(path) for path in named}


class SecretFiles:
    """Notices that a client's secret changed in its file, and stores it: no restart is needed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._seen = secret_files(services.catalogue)

    def look(self) -> list[str]:
        """Reads the providers file again if a secret file changed; returns the apps that differ.

        A file that cannot be read at this moment leaves its app as it is stored.
        """
        now = {path: stamp(path) for path in self._seen}
        if now == self._seen:
            return []
        fresh = catalogue_from(self._services.settings)
        changed = sync_apps(self._services, fresh)
        self._seen = now  # as they were before they were read: a change from here on counts
        return changed


def _opened(cipher: Cipher, app: App) -> ClientCredentials | None:
    """Returns the stored client; one that no key opens is as good as none."""
    try:
        return clients.opened(cipher, app)
    except CannotDecrypt:
        return None
