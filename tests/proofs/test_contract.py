"""Every proof and grant, driven against the server that plays an entry: two readings of one entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refresher.devkit.oauth_server.entry import unplayable
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from refresher.testing.proof import PROMISES, broken

ACME = Provider("acme", "https://acme.example/token", revocation_url="https://acme.example/revoke")
MINTED: dict[str, Any] = {"strategy": Strategy.JWT_BEARER, "client_auth": ClientAuth.NONE}
ENTRIES: dict[str, dict[str, Any]] = {
    "client_secret_jwt": {"client_auth": ClientAuth.CLIENT_SECRET_JWT},
    "private_key_jwt": {
        "client_auth": ClientAuth.PRIVATE_KEY_JWT,
        "signing_algorithm": "PS256",
        "assertion_audience": "https://acme.example",
        "assertion_seconds": 60.0,
        "needs_key_id": True,
    },
    "apple": {
        "client_auth": ClientAuth.SIGNED_SECRET,
        "client_assertion": {"iss": "{team}"},
        "placeholders": {"team": "[A-Z]+"},
        "signing_algorithm": "ES256",
    },
    "tls": {"client_auth": ClientAuth.TLS_CLIENT_AUTH},
    "google": {
        **MINTED,
        "assertion": {"sub": "{subject}", "scope": "a b"},
        "placeholders": {"subject": ".*"},
        "revocation_url": None,
    },
    "box": {**MINTED, "client_auth": ClientAuth.POST, "assertion": {"box_sub_type": "user"}},
    "github": {
        "strategy": Strategy.GITHUB_APP,
        "client_auth": ClientAuth.NONE,
        "token_url": "https://acme.example/app/installations/{installation}/access_tokens",
        "placeholders": {"installation": "[0-9]+"},
        "revocation_url": None,
        "answer_names": {"access_token": ("token",)},
        "access_token_lifetime_fields": ("expires_at",),
        "body": BodyForm.JSON,
    },
}


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("promise", PROMISES)
def test_the_entry_keeps_its_promise(promise: str, name: str) -> None:
    """The server understands what we sign, and verifies it, in all that may happen."""
    entry = replace(ACME, **ENTRIES[name])
    assert broken(entry, promise) == []
    assert unplayable(entry) == []
