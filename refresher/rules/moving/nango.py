"""Reads a connection of Nango: as its API tells it, or as it stands in its database.

Facts: `ApiPublicConnectionFull` and `DBConnection` of @nangohq/types; how it encrypts, in its
packages/utils/lib/encryption.ts: AES-256-GCM of the JSON, the key 32 bytes in base64
(NANGO_ENCRYPTION_KEY), nonce and tag in columns of their own, no associated data.
"""

from __future__ import annotations

import json
from base64 import b64decode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from refresher.errors import InvalidConnection
from refresher.rules.moving.theirs import (
    Row,
    Theirs,
    first,
    instant,
    needed,
    scopes,
    table,
    text,
    token,
)

KEY = "NANGO_ENCRYPTION_KEY"
_OAUTH2 = {"OAUTH2", "MCP_OAUTH2", "MCP_OAUTH2_GENERIC"}


def read(row: Row, key: bytes | None) -> Theirs:
    """Returns what a connection is; raises `InvalidConnection`."""
    if first(row, "deleted", "deleted_at") not in (None, False, "f", "false"):
        raise InvalidConnection("it is deleted in Nango")
    if row.get("error") is not None:
        raise InvalidConnection(f"Nango does not give it: {text(row, 'error')}")
    credentials = _credentials(row, key)
    config, person = table(row, "connection_config"), table(row, "end_user")
    whole = table(credentials, "raw")
    return Theirs(
        provider=needed(row, "provider", "provider_config_key"),
        external_id=needed(row, "connection_id"),
        organization=_organization(row, person),
        access_token=token(credentials, "access_token"),
        refresh_token=token(credentials, "refresh_token"),
        expires_at=instant(credentials, "expires_at"),
        granted_scopes=scopes(whole.get("scope")),
        client=text(row, "provider_config_key"),
        places={**_plain(whole), **_plain(config)},
        name=text(person, "display_name", "email"),
        metadata={**table(row, "metadata"), **_whose(person)},
    )


def _plain(told: Row) -> Row:
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _organization(row: Row, person: Row) -> str | None:
    tags = table(row, "tags")
    return (
        text(table(person, "organization"), "id")
        or text(tags, "organization_id")
        or text(person, "id")
        or text(tags, "end_user_id")
    )


def _whose(person: Row) -> Row:
    whose = text(person, "id")
    return {"end_user_id": whose} if whose else {}


def _credentials(row: Row, key: bytes | None) -> Row:
    """Returns the credentials, opened; refuses those that no OAuth 2 flow has got."""
    credentials = table(row, "credentials")
    if "encrypted_credentials" in credentials:
        credentials = _opened(row, needed(credentials, "encrypted_credentials"), key)
    kind = text(credentials, "type")
    if kind == "OAUTH2_CC":
        raise InvalidConnection(
            "its client id and secret are its own (OAUTH2_CC): store them as an app by "
            "`refresher apps set`, and import a line without tokens for it"
        )
    if kind not in _OAUTH2 | {None}:
        raise InvalidConnection(
            f"its credentials are of the type {kind}: only OAuth 2 is refreshed"
        )
    if not credentials:
        raise InvalidConnection(
            "its credentials are not there: the key must have the scope "
            "environment:connections:read_credentials"
        )
    _refuse_own_client(credentials)
    return credentials


def _refuse_own_client(credentials: Row) -> None:
    if text(table(credentials, "config_override"), "client_id"):
        raise InvalidConnection(
            "it was connected with an OAuth client of its own (config_override): store that as an "
            "app by `refresher apps set`, and import it in our own format with that app"
        )


def _opened(row: Row, sealed: str, key: bytes | None) -> Row:
    if key is None:
        raise InvalidConnection(
            f"its credentials are encrypted: put that installation's {KEY} into the environment"
        )
    try:
        nonce, tag = (b64decode(needed(row, f"credentials_{part}")) for part in ("iv", "tag"))
        found = json.loads(AESGCM(key).decrypt(nonce, b64decode(sealed) + tag, None))
    except (ValueError, InvalidTag):
        raise InvalidConnection(f"{KEY} does not open its credentials") from None
    if not isinstance(found, dict):
        raise InvalidConnection("its credentials are no object")
    return found
