"""Opens and seals our OAuth clients: the secret by itself, everything else as one text."""

from __future__ import annotations

from uuid import UUID

from refresher.rules.clients import ClientCredentials, material_of, with_material
from refresher.rules.connection import App
from refresher.runtime.cipher import Cipher

SECRET, MATERIAL = "client_secret", "material"


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
