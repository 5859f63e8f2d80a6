"""What an entry may say of assertions, and a sentence for each contradiction."""

from __future__ import annotations

import pytest

from refresher.catalogue.proof_checks import proof_faults
from refresher.rules.providers import Strategy
from tests.catalogue.conftest import ACME, Fault, Load

KEY_JWT = 'client_auth = "private_key_jwt"\n'
BEARER = 'strategy = "jwt_bearer"\nclient_auth = "none"\n'


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            'assertion = { sub = "a" }',
            'assertion is set, but strategy is "refresh_token", which signs no grant: set strategy',
        ),
        (
            'client_assertion = { iss = "a" }',
            'client_assertion is set, but client_auth is "post", which signs nothing',
        ),
        (
            "assertion_seconds = 60",
            "assertion_seconds is set, but neither strategy nor client_auth",
        ),
        ("needs_key_id = true", "needs_key_id is set, but neither strategy nor client_auth signs"),
        ('signing_algorithm = "RS256"', "signing_algorithm is set, but neither strategy nor"),
        ('assertion_audience = "a"', "assertion_audience is set, but neither strategy nor"),
        (BEARER + 'assertion = { exp = "1" }', "assertion must not hold exp: each has its own"),
        (KEY_JWT + 'client_assertion = { jti = "1" }', "client_assertion must not hold jti"),
        (
            BEARER + 'assertion = { sub = "{access_token}" }',
            "assertion.sub has {access_token}, and claims are for everybody to read: leave it out",
        ),
        (
            BEARER + 'assertion = { sub = "{user}" }',
            "assertion.sub has {user}, which is not declared",
        ),
        (
            BEARER + 'assertion_audience = "https://{host}"',
            "assertion_audience has {host}, but host_pattern is missing",
        ),
        (
            BEARER + 'parameters = { a = "of {user}" }\nplaceholders = { user = "[a-z]*" }\n'
            'default_placeholders = { user = "" }',
            "default_placeholders.user is empty, which only one of path_placeholders may be, or one",
        ),
        (BEARER + 'signing_algorithm = "HS256"', "what signs is the app's private key"),
        (KEY_JWT + 'signing_algorithm = "HS256"', "what signs is the app's private key"),
        (
            'client_auth = "client_secret_jwt"\nsigning_algorithm = "RS256"',
            'signing_algorithm is "RS256", but the client secret signs: set "HS256"',
        ),
        (KEY_JWT + 'signing_algorithm = "none"', 'signing_algorithm is "none", but must be one of'),
        (
            KEY_JWT + "assertion_seconds = 59",
            "assertion_seconds must be between 60 and 86,400 seconds",
        ),
        (KEY_JWT + "assertion_seconds = 86401", "assertion_seconds must be between 60 and"),
        (KEY_JWT + "needs_key_id = 1", "needs_key_id must be true or false"),
        (
            'strategy = "github_app"\nclient_auth = "post"',
            'client_auth is "post", but github_app proves itself by its JWT: set client_auth = "none"',
        ),
    ],
)
def test_a_contradiction_is_one_sentence(fault: Fault, lines: str, sentence: str) -> None:
    """It names the file, the entry and the field, and says what to do."""
    said = fault(ACME + lines)
    assert "providers.toml, [providers.acme]: " in said
    assert sentence in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "lines",
    [
        KEY_JWT + 'signing_algorithm = "PS256"\nassertion_audience = "https://acme.example"',
        'client_auth = "client_secret_jwt"',
        'client_auth = "client_secret_jwt"\nsigning_algorithm = "HS512"',
        'client_auth = "signed_secret"\nclient_assertion = { iss = "TEAM" }\nneeds_key_id = true',
        'client_auth = "tls_client_auth"',
        'client_auth = "self_signed_tls_client_auth"',
        BEARER + 'assertion = { scope = "a b" }\nassertion_seconds = 3600',
        'strategy = "github_app"\nclient_auth = "none"\nbody = "json"',
        BEARER + 'assertion = { sub = "{user}" }\nplaceholders = { user = "[a-z]*" }\n'
        'default_placeholders = { user = "" }',
    ],
)
def test_what_is_no_contradiction(load_text: Load, lines: str) -> None:
    """Every proof and grant in its simplest form."""
    provider = load_text(ACME + lines)["acme"]
    assert not list(proof_faults(provider))
    assert provider.needs_app
    assert provider.is_minted is (provider.strategy is not Strategy.REFRESH_TOKEN)
