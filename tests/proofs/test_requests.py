"""The requests of an app that signs, or shows a certificate: what travels where, what is lacking."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jwcrypto.common import base64url_decode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.fillings import Stamp
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import ClientAuth, Provider, Strategy
from refresher.rules.requests import TokenRequest, build_request
from refresher.rules.revocations import build_revocation
from tests.proofs.samples import certificate, ec_key, pem

KEY = pem(ec_key())
ACME = Provider("acme", "https://{host}/token", host_pattern=r"[a-z]+\.example")
APP = ClientCredentials(
    "an-id", Secret("a secret that is long enough for HMAC"), private_key=Secret(KEY), key_id="k1"
)
CERTIFIED = replace(APP, certificate=certificate(ec_key()), certificate_key=Secret(KEY))
STAMP = Stamp(1_800_000_000.0, "an-id-of-its-own")
TIMES = {"iat": 1_799_999_970, "exp": 1_800_000_270, "jti": "an-id-of-its-own"}
OWN = {"iss": "an-id", "sub": "an-id", "aud": "https://as.example/token"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "refresh"}
BEARER: dict[str, Any] = {"strategy": Strategy.JWT_BEARER, "client_auth": ClientAuth.NONE}
GRANT = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}
OF_CLIENT = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
SIGNED = "a JWT"


def request(
    entry: dict[str, Any], client: ClientCredentials | None = APP, **more: Any
) -> TokenRequest:
    """Returns the request of an entry that differs from the plainest in these fields."""
    return build_request(
        replace(ACME, **entry),
        client=client,
        access_token=Secret("access"),
        refresh_token=Secret("refresh"),
        host="as.example",
        draw=lambda: STAMP,
        **more,
    )


def read(token: str) -> dict[str, Any]:
    """Returns the claims, the signature verified by another library: with the key, or the secret."""
    header = json.loads(base64url_decode(token.partition(".")[0]))
    if header["alg"] == "HS256":
        assert APP.client_secret is not None
        key = JWK.from_password(APP.client_secret.reveal())
        assert header == {"alg": "HS256", "typ": "JWT"}
    else:
        key = JWK.from_pem(KEY.encode())
        assert header.items() >= {"alg": "ES256", "typ": "JWT", "kid": "k1"}.items()
    read = JWS()
    read.deserialize(token, key)
    claims: dict[str, Any] = json.loads(read.payload)
    assert {name: claims.pop(name) for name in TIMES} == TIMES
    return claims


@pytest.mark.parametrize(
    ("entry", "parameters", "claims"),
    [
        (
            {"client_auth": ClientAuth.PRIVATE_KEY_JWT},
            {**REFRESH, "client_id": "an-id", **OF_CLIENT, "client_assertion": SIGNED},
            OWN,
        ),
        (
            {"client_auth": ClientAuth.CLIENT_SECRET_JWT, "assertion_audience": "https://{host}"},
            {**REFRESH, "client_id": "an-id", **OF_CLIENT, "client_assertion": SIGNED},
            {**OWN, "aud": "https://as.example"},
        ),
        (
            {
                "client_auth": ClientAuth.SIGNED_SECRET,
                "client_assertion": {"iss": "TEAM", "aud": "https://appleid.apple.com"},
            },
            {**REFRESH, "client_id": "an-id", "client_secret": SIGNED},
            {**OWN, "iss": "TEAM", "aud": "https://appleid.apple.com"},
        ),
        (
            {
                "strategy": Strategy.CLIENT_CREDENTIALS,
                "client_auth": ClientAuth.PRIVATE_KEY_JWT,
                "parameter_names": {"client_assertion": "proof"},
            },
            {
                **OF_CLIENT,
                "grant_type": "client_credentials",
                "client_id": "an-id",
                "proof": SIGNED,
            },
            OWN,
        ),
        (
            {**BEARER, "assertion": {"sub": "{subject}"}, "placeholders": {"subject": ".+"}},
            {**GRANT, "assertion": SIGNED},
            {**OWN, "sub": "ann@acme.example"},
        ),
        (
            {**BEARER, "assertion": {"sub": "", "aud": "x", "scope": "a b"}, "grant_type": "jwt"},
            {"grant_type": "jwt", "assertion": SIGNED},
            {"iss": "an-id", "aud": "x", "scope": "a b"},
        ),
        (
            {
                **BEARER,
                "assertion": {"sub": "{other}", "scope": "{scope}"},
                "placeholders": {"other": ".+"},
                "default_placeholders": {"other": ""},
            },
            {**GRANT, "assertion": SIGNED},
            {"iss": "an-id", "aud": "https://as.example/token"},
        ),
        (
            {**BEARER, "client_auth": ClientAuth.POST},
            {
                **GRANT,
                "assertion": SIGNED,
                "client_id": "an-id",
                "client_secret": "a secret that is long enough for HMAC",
            },
            {"iss": "an-id", "aud": "https://as.example/token"},
        ),
    ],
)  # fmt: skip
def test_what_is_signed_is_sent(entry, parameters, claims) -> None:
    """Where the assertion stands, under which name, and what it says."""
    sent = dict(request(entry, placeholders={"subject": "ann@acme.example"}).parameters)
    (name,) = (name for name, text in parameters.items() if text is SIGNED)
    assert read(sent[name]) == claims
    assert {**sent, name: SIGNED} == parameters


@pytest.mark.parametrize(
    ("strategy", "token"),
    [(Strategy.REFRESH_TOKEN, "refresh"), (Strategy.LONG_LIVED_EXCHANGE, "access")],
)
def test_a_token_exchange_is_a_refresh_with_other_names(strategy, token) -> None:
    """RFC 8693 section 2.1 needs no strategy of its own."""
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    kind = {"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    entry = {"strategy": strategy, "grant_type": exchange, "token_parameter": "subject_token"}
    sent = request({**entry, "parameters": kind, "client_auth": ClientAuth.BASIC}).parameters
    assert dict(sent) == {"grant_type": exchange, "subject_token": token, **kind}


def test_an_app_of_github_is_its_bearer_token() -> None:
    """No grant, no client: the JWT stands in the header alone."""
    built = request({"strategy": Strategy.GITHUB_APP, "client_auth": ClientAuth.NONE})
    assert dict(built.parameters) == {}
    scheme, _, token = built.headers["Authorization"].partition(" ")
    assert scheme == "Bearer"
    assert read(token) == {"iss": "an-id", "aud": "https://as.example/token"}


def test_grant_and_client_may_both_be_signed() -> None:
    """Each with a key of its kind: the client with its secret, the grant with the private key."""
    both = request({"strategy": Strategy.JWT_BEARER, "client_auth": ClientAuth.CLIENT_SECRET_JWT})
    assert read(both.parameters["client_assertion"]) == OWN
    assert read(both.parameters["assertion"])["iss"] == "an-id"


@pytest.mark.parametrize(
    "how", [ClientAuth.TLS_CLIENT_AUTH, ClientAuth.SELF_SIGNED_TLS_CLIENT_AUTH]
)
def test_a_certificate_is_shown_and_the_id_sent(how: ClientAuth) -> None:
    """RFC 8705 section 2: the certificate is the secret, and the id says whose it is."""
    built = request({"client_auth": how}, CERTIFIED)
    assert dict(built.parameters) == {**REFRESH, "client_id": "an-id"}
    assert built.certificate is not None
    assert built.certificate.chain == CERTIFIED.certificate
    assert "BEGIN" not in repr(built)


def test_a_certificate_goes_with_any_other_proof() -> None:
    """ADP wants Basic over mutual TLS; without a certificate, or a key to it, there is none."""
    entry = {"client_auth": ClientAuth.BASIC}
    assert request(entry, CERTIFIED).certificate is not None
    assert request(entry, APP).certificate is None
    assert request(entry, replace(CERTIFIED, certificate_key=None)).certificate is None


def test_a_token_is_given_back_with_the_same_proof() -> None:
    """RFC 7009 section 2.1: the client proves itself as at the token endpoint, whom it is for too."""
    entry = replace(
        ACME, revocation_url="https://as.example/revoke", client_auth=ClientAuth.PRIVATE_KEY_JWT
    )
    built = build_revocation(
        entry, client=CERTIFIED, refresh_token=Secret("t"), host="as.example", draw=lambda: STAMP
    )
    assert built is not None
    assert read(built.parameters["client_assertion"]) == OWN
    assert built.parameters["token"] == "t"
    assert built.certificate is not None


@pytest.mark.parametrize(
    ("entry", "client", "sentence"),
    [
        (BEARER, replace(APP, private_key=None), "private_key is missing: requests to acme are"),
        (BEARER, None, "no app is configured for provider acme"),
        (
            {"client_auth": ClientAuth.PRIVATE_KEY_JWT, "needs_key_id": True},
            replace(APP, key_id=None),
            "key_id is missing: acme must be told which key signs",
        ),
        (
            {"client_auth": ClientAuth.CLIENT_SECRET_JWT},
            replace(APP, client_secret=None),
            "client_secret is missing: requests to acme are signed with it",
        ),
        (
            {"client_auth": ClientAuth.TLS_CLIENT_AUTH},
            APP,
            "certificate is missing: acme knows our",
        ),
        (
            {**BEARER, "signing_algorithm": "RS256"},
            APP,
            "signing_algorithm is RS256, but the app's private key is an EC key",
        ),
        (
            {**BEARER, "assertion": {"sub": "{subject}"}, "placeholders": {"subject": ".+"}},
            APP,
            r"placeholders\.subject is missing: provider acme needs one",
        ),
    ],
)
def test_what_is_lacking_is_one_sentence(entry, client, sentence) -> None:
    """Nothing is built, and the sentence tells what to store."""
    with pytest.raises(UnbuildableRequest, match=sentence):
        request(entry, client)
