"""Which app may be stored at a provider: whether it can prove itself as the entry asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from refresher.catalogue import checked_app
from refresher.errors import InvalidApp
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.providers import ClientAuth, Provider, Strategy
from tests.proofs.samples import certificate, ec_key, pem

ACME = Provider("acme", "https://acme.example/token")
KEY, OTHER = Secret(pem(ec_key())), Secret(pem(ec_key(ec.SECP384R1)))
SHOWN = certificate(ec_key())
BARE = ClientCredentials("an-id", None)
SIGNS: dict[str, Any] = {"client_auth": ClientAuth.PRIVATE_KEY_JWT}
SHOWS: dict[str, Any] = {"client_auth": ClientAuth.TLS_CLIENT_AUTH}


@pytest.mark.parametrize(
    ("entry", "app", "sentence"),
    [
        (SIGNS, {}, "private_key is missing: requests to acme are signed with it; give the app"),
        ({**SIGNS, "needs_key_id": True}, {"private_key": KEY}, "key_id is missing: acme must be"),
        (
            {**SIGNS, "signing_algorithm": "EdDSA"},
            {"private_key": KEY},
            "signing_algorithm is EdDSA, but the app's private key is an EC key",
        ),
        ({"strategy": Strategy.JWT_BEARER}, {}, "private_key is missing"),
        ({"client_auth": ClientAuth.CLIENT_SECRET_JWT}, {}, "client_secret is missing"),
        (
            SHOWS,
            {},
            "certificate is missing: acme knows our app by it; give the app certificate_file",
        ),
        (SHOWS, {"certificate": SHOWN, "private_key": KEY}, "certificate is missing: acme knows"),
        (
            SIGNS,
            {"certificate": SHOWN, "private_key": OTHER},
            "certificate is not that of private_key: give its own as certificate_key",
        ),
    ],
)
def test_an_app_that_cannot_prove_itself_is_refused(entry, app, sentence) -> None:
    """At once, and not when its first connection is due."""
    with pytest.raises(InvalidApp, match=sentence):
        checked_app(replace(BARE, **app), replace(ACME, **entry))


@pytest.mark.parametrize(
    ("entry", "app"),
    [
        ({}, {}),
        (SIGNS, {"private_key": KEY}),
        (SIGNS, {"private_key": KEY, "certificate": SHOWN}),
        ({**SIGNS, "needs_key_id": True}, {"private_key": KEY, "key_id": "k1"}),
        ({"client_auth": ClientAuth.CLIENT_SECRET_JWT}, {"client_secret": Secret("short")}),
        (SHOWS, {"certificate": SHOWN, "certificate_key": KEY}),
        ({"client_auth": ClientAuth.BASIC}, {"certificate": SHOWN, "certificate_key": KEY}),
    ],
)
def test_an_app_that_can_is_taken(entry, app) -> None:
    """Also where it has more than the entry asks for."""
    given = replace(BARE, **app)
    assert checked_app(given, replace(ACME, **entry)) == given
