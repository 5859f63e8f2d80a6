"""Our OAuth client at a provider in the clear, and its material as one text.

All that is the app's own beside id and secret is its *material*: it is sealed as one text (JSON).
What makes a key or a certificate none: `keys.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from refresher.rules.connection import Secret, value

_SECRETS = ("previous_client_secret", "private_key", "certificate_key")
_TEXTS = ("key_id", "certificate")


@value
class ClientCredentials:
    """The app's identity, opened for the exchanges of one batch.

    `previous_client_secret` is tried where the provider does not take the new one yet, or no more.
    `private_key` (PEM) signs as `key_id`; `certificate` (PEM, its chain behind it) and its key are for
    mutual TLS. `placeholders` are values that belong to the app, for connections that bring none.
    """

    client_id: str
    client_secret: Secret | None
    previous_client_secret: Secret | None = None
    private_key: Secret | None = None
    key_id: str | None = None
    certificate: str | None = field(default=None, repr=False)
    certificate_key: Secret | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


def swapped(client: ClientCredentials) -> ClientCredentials:
    """Returns the client with its two secrets in each other's place."""
    return replace(
        client,
        client_secret=client.previous_client_secret,
        previous_client_secret=client.client_secret,
    )


def material_of(client: ClientCredentials) -> Secret | None:
    """Returns all but id and secret as one text, None where there is nothing."""
    held: dict[str, object] = {name: getattr(client, name) for name in _TEXTS}
    held |= {name: secret.reveal() for name in _SECRETS if (secret := getattr(client, name))}
    held["placeholders"] = dict(client.placeholders)
    given = {name: one for name, one in held.items() if one}
    return Secret(json.dumps(given)) if given else None


def material_names(client: ClientCredentials) -> list[str]:
    """Returns what the material holds, for people: `private_key`, `placeholders.redirect_uri`."""
    held = [name for name in (*_SECRETS, *_TEXTS) if getattr(client, name)]
    return sorted([*held, *(f"placeholders.{name}" for name in client.placeholders)])


def with_material(
    client_id: str, client_secret: Secret | None, material: Secret | None
) -> ClientCredentials:
    """Returns the client that `material_of` made this text of."""
    if material is None:
        return ClientCredentials(client_id, client_secret)
    held: dict[str, Any] = json.loads(material.reveal())
    held |= {name: Secret(held[name]) for name in _SECRETS if name in held}
    return ClientCredentials(client_id, client_secret, **held)
