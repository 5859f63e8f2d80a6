"""Our OAuth clients, straight on the database: as the API's routes do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from refresher.catalogue import AppEntry, checked_app
from refresher.connections.oauth_apps import end_rotation, rotate_secret, store_app
from refresher.rules.access import Actor
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.runtime.services import Services
from refresher.store import oauth_apps

SECRETS = ("client_secret", "previous_client_secret", "private_key", "certificate_key")


class DirectApps:
    """What an application does to apps."""

    def __init__(self, services: Services, by: Actor) -> None:
        self._services, self._by = services, by

    def listed(self) -> list[dict[str, object]]:
        """Returns all apps."""
        with self._services.database.transaction() as db:
            return [asdict(one) for one in oauth_apps.every(db)]

    def put(self, given: Mapping[str, Any]) -> dict[str, object]:
        """Stores an app as a whole."""
        fields = {"name": "default", **given}
        provider, name = fields.pop("provider"), fields.pop("name")
        secrets = {n: _secret(fields.get(n)) for n in SECRETS}
        client = ClientCredentials(**{**fields, **secrets})
        client = checked_app(client, self._services.catalogue[provider])
        services = self._services
        store_app(services.database, services.cipher, AppEntry(provider, client, name), self._by)
        return self._stored(provider, name)

    def rotate_secret(self, provider: str, name: str, secret: Secret) -> dict[str, object]:
        """Stores a new secret, and keeps the one before."""
        services = self._services
        rotate_secret(services.database, services.cipher, provider, name, secret, self._by)
        return self._stored(provider, name)

    def end_rotation(self, provider: str, name: str) -> dict[str, object]:
        """Forgets the secret before."""
        services = self._services
        end_rotation(services.database, services.cipher, provider, name, self._by)
        return self._stored(provider, name)

    def _stored(self, provider: str, name: str) -> dict[str, object]:
        return next(a for a in self.listed() if (a["provider"], a["name"]) == (provider, name))


def _secret(given: str | Secret | None) -> Secret | None:
    text = given.reveal() if isinstance(given, Secret) else given
    return Secret(text) if text else None
