"""A good row of each system, as its library or API writes it."""

import json
import os
from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from refresher.rules.moving import System

NANGO_KEY = bytes(range(32))
ROWS: dict[System, dict[str, Any]] = {
    System.NANGO: {
        "id": 7,
        "connection_id": "conn-1",
        "provider_config_key": "google-mail",
        "provider": "google-mail",
        "connection_config": {},
        "end_user": {
            "id": "u1",
            "display_name": "Ann",
            "email": "ann@acme.com",
            "tags": None,
            "organization": {"id": "acme", "display_name": None},
        },
        "tags": {},
        "metadata": {"plan": "pro"},
        "credentials": {
            "type": "OAUTH2",
            "access_token": "at",
            "refresh_token": "rt",
            "expires_at": "2030-01-01T00:00:00.000Z",
            "raw": {"scope": "a b", "token_type": "bearer"},
        },
    },
    System.AUTHJS: {
        "id": "1",
        "userId": "u1",
        "type": "oidc",
        "provider": "microsoft-entra-id",
        "providerAccountId": "1042",
        "access_token": "at",
        "refresh_token": "rt",
        "expires_at": 1893456000,
        "id_token": "x.y.z",
        "scope": "a,b",
        "session_state": None,
        "token_type": "bearer",
    },
    System.PYTHON_SOCIAL_AUTH: {
        "id": 3,
        "user_id": 5,
        "provider": "google-oauth2",
        "uid": "ann@acme.com",
        "extra_data": {
            "auth_time": 1893452400,
            "access_token": "at",
            "refresh_token": "rt",
            "expires": 3600,
            "token_type": "Bearer",
        },
    },
    System.DJANGO_ALLAUTH: {
        "token": "at",
        "token_secret": "rt",
        "expires_at": "2030-01-01T00:00:00",
        "provider": "google",
        "uid": "1042",
        "user_id": 5,
        "client_id": "c1",
    },
    System.SUPABASE: {
        "user_id": "8eaef023-2b34-4da1-9baa-8bc8c9d6a490",
        "provider": "azure",
        "provider_id": "1042",
        "provider_token": "at",
        "provider_refresh_token": "rt",
        "provider_token_expires_at": 1893456000000,
    },
    System.COMPOSIO: {
        "id": "ca_1",
        "toolkit": {"slug": "gmail"},
        "auth_config": {"id": "ac_1", "is_composio_managed": False, "is_disabled": False},
        "word_id": "gmail_red-castle",
        "alias": None,
        "user_id": "u1",
        "status": "ACTIVE",
        "state": {
            "authScheme": "OAUTH2",
            "val": {
                "status": "ACTIVE",
                "access_token": "at",
                "refresh_token": "rt",
                "expires_in": 3599,
                "scope": ["a", "b"],
            },
        },
    },
}


def row(system: System, **changed: Any) -> dict[str, Any]:
    """Returns a good row with some fields changed; what is `...` is left out."""
    whole = {**ROWS[system], **changed}
    return {name: value for name, value in whole.items() if value is not ...}


def sealed(credentials: object, key: bytes = NANGO_KEY) -> dict[str, Any]:
    """Returns the columns in which Nango's database has credentials."""
    nonce = os.urandom(12)
    data = AESGCM(key).encrypt(nonce, json.dumps(credentials).encode(), None)
    parts = (data[:-16], nonce, data[-16:])
    whole, iv, tag = (b64encode(part).decode() for part in parts)
    return {
        "credentials": {"encrypted_credentials": whole},
        "credentials_iv": iv,
        "credentials_tag": tag,
    }
