"""Opens and seals our OAuth clients, and tries the other secret of one while it is being changed.

The secret is sealed by itself, everything else as one text.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from refresher.rules.clients import ClientCredentials, material_of, swapped, with_material
from refresher.rules.connection import App, Reply
from refresher.rules.outcomes import Misconfigured, Revoked, classify
from refresher.rules.providers import CERTIFIED, ClientAuth, Provider
from refresher.rules.requests import TokenRequest
from refresher.runtime.cipher import Cipher

SECRET, MATERIAL = "client_secret", "material"
WITHOUT_SECRET = CERTIFIED | {ClientAuth.PRIVATE_KEY_JWT, ClientAuth.SIGNED_SECRET}
"""How an app proves itself with a key of its own: there is no other secret to try."""


def opened(cipher: Cipher, app: App) -> ClientCredentials:
    """Returns the client in the clear; raises `CannotDecrypt`."""
    secret = cipher.open(app.client_secret, app.id, SECRET) if app.client_secret else None
    material = cipher.open(app.material, app.id, MATERIAL) if app.material else None
    return with_material(app.client_id, secret, material)


def sealed(cipher: Cipher, app_id: UUID, client: ClientCredentials) -> App:
    """Returns the client as it is stored."""
    secret, material = client.client_secret, material_of(client)
    return App(
        app_id,
        client.client_id,
        cipher.seal(secret, app_id, SECRET) if secret else None,
        cipher.seal(material, app_id, MATERIAL) if material else None,
    )


class KnownSecrets:
    """Which of an app's two client secrets its provider took last, while one follows the other.

    Remembered by this process alone, and by what is stored: an app that is stored anew is asked anew.
    """

    def __init__(self) -> None:
        self._former: set[bytes] = set()

    def is_former(self, app: App) -> bool:
        """Whether the one before is presented first."""
        return app.material in self._former

    def prefer(self, app: App, *, former: bool) -> None:
        """Presents this one first from now on."""
        if app.material is not None:
            (self._former.add if former else self._former.discard)(app.material)


class OtherSecret:
    """Presents the other of two client secrets once where a provider refuses the app.

    A refused client is refused before its grant is looked at (RFC 6749 section 5.2): no token is spent
    by that. Where an entry allows no second request, the other one is presented the next time.
    """

    def __init__(
        self,
        known: KnownSecrets,
        app: App,
        provider: Provider,
        client: ClientCredentials,
        build: Callable[[ClientCredentials], TokenRequest],
    ) -> None:
        self._known, self._app, self._provider, self._build = known, app, provider, build
        self._former = known.is_former(app)
        first, self._other = (
            (swapped(client), client) if self._former else (client, swapped(client))
        )
        self._tried = False
        self.request = build(first)
        """What is sent first."""

    def __call__(self, reply: Reply) -> TokenRequest | None:
        """Returns what to send after `reply`, None where that is the end of it."""
        outcome = classify(self._provider, reply, 0.0)
        if self._tried:
            if isinstance(outcome, Revoked) or 200 <= (reply.status or 0) < 300:
                self._known.prefer(self._app, former=not self._former)
            return None
        self._tried = True
        if not isinstance(outcome, Misconfigured):
            return None
        second = self._build(self._other)
        if second == self.request or self._provider.client_auth in WITHOUT_SECRET:
            return None
        if not asks_twice(self._provider):
            self._known.prefer(self._app, former=not self._former)
            return None
        return second


def asks_twice(provider: Provider) -> bool:
    """Whether a grant may be presented a second time at once, after a refusal of the app."""
    return provider.retry == "always" and provider.refresh_interval_seconds == 0
