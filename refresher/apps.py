"""Stores our OAuth clients: secrets sealed, and nothing written where nothing changed.

The table is `store/apps.py`; the entries of the providers file come from `catalogue/`. Storing an app
lifts its pause and resumes connections that waited for it, so it must not happen without need.
"""

from __future__ import annotations

from refresher.catalogue import AppEntry
from refresher.cipher import Cipher
from refresher.errors import CannotDecrypt
from refresher.rules.connection import App, Secret
from refresher.store import apps
from refresher.store.session import Database
from refresher.wiring import Services


def store_app(database: Database, cipher: Cipher, app: AppEntry) -> bool:
    """Stores one app; False when exactly that was stored already."""
    secret = app.client_secret
    with database.transaction() as db:
        stored = apps.find(db, app.provider, app.name)
        if stored and stored.client_id == app.client_id and _opened(cipher, stored) == secret:
            return False
        owner = apps.app_id(app.provider, app.name)
        sealed = cipher.seal(secret, owner, "client_secret") if secret else None
        apps.put(db, app.provider, app.name, app.client_id, sealed)
    return True


def sync_apps(services: Services) -> list[str]:
    """Stores the apps of the providers file that are new or differ; returns them as `google/default`.

    Apps that the file does not name stay as they are.
    """
    return [
        f"{app.provider}/{app.name}"
        for app in services.catalogue.apps
        if store_app(services.database, services.cipher, app)
    ]


def _opened(cipher: Cipher, app: App) -> Secret | None:
    """Returns the stored secret; one that no key opens is as good as another, wrong one."""
    if app.client_secret is None:
        return None
    try:
        return cipher.open(app.client_secret, app.id, "client_secret")
    except CannotDecrypt:
        return Secret("")
