"""Providers' notices: only genuine ones, each once, and none ends a connection by itself."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from refresher.catalogue import Catalogue
from refresher.outbound import key_sets
from refresher.rules.connection import Secret
from refresher.rules.signals import SignalSource, SourceKind
from tests.outbound.handlers import always
from tests.outbound.servers import Server, answer
from tests.web.kit import Site
from tests.world import PROVIDERS, World, refused

ISSUER, AUDIENCE = "https://accounts.acme.example/", "our-client"
REVOKED = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked"
VERIFICATION = "https://schemas.openid.net/secevent/risc/event-type/verification"
HMAC_SOURCE = SignalSource(
    "paced",
    SourceKind.HMAC,
    secret=Secret("hook-secret"),
    signature_header="X-Signature",
    subject_path=("account",),
    revoked_events=frozenset({"revoked"}),
    match_metadata="account",
)


@pytest.fixture(scope="module")
def private() -> RSAPrivateKey:
    """The issuer's key."""
    return generate_private_key(65_537, 2_048)


@pytest.fixture(scope="module")
def key_server(private: RSAPrivateKey) -> Iterator[Server]:
    """Publishes the issuer's public key under the id k1."""
    public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    body = json.dumps({"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]})
    server = Server(always(answer(body.encode())))
    yield server
    server.close()


@pytest.fixture
def site(world: World, key_server: Server) -> Iterator[Site]:
    """The API with two sources of notices: acme sends tokens, paced signs with a secret."""
    acme = SignalSource(
        "acme",
        SourceKind.SECURITY_EVENT_TOKEN,
        issuer=ISSUER,
        audience=(AUDIENCE,),
        jwks_url=key_server.url("/keys"),
    )
    known = {p.name: p for p in PROVIDERS}
    signals = {"acme": acme, "paced": HMAC_SOURCE}
    world.services = replace(world.services, catalogue=Catalogue(known, {}, (), signals))
    with Site.opened(world) as opened:
        yield opened


def token(private: Any, *, kid: str | None = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    """A security event token about the account c1, with these claims changed; None leaves one out."""
    subject = {"subject_type": "iss-sub", "iss": ISSUER, "sub": "c1"}
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": int(time.time()),
        "jti": str(uuid4()),
        "events": {REVOKED: {"subject": subject}},
        **changes,
    }
    headers = {"typ": "secevent+jwt"} | ({"kid": kid} if kid else {})
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, private, algorithm=algorithm, headers=headers)


def send(site: Site, text: str | bytes, provider: str = "acme", **headers: str) -> tuple[int, str]:
    """Sends a notice without a key; returns status and the problem's code."""
    answer = site("POST", f"/v1/signals/{provider}", key=None, content=text, headers=headers)
    return answer.status_code, answer.json()["code"] if answer.content else ""


def test_a_revocation_is_found_out_by_a_refresh(site: Site, private: RSAPrivateKey):
    """The connection is due at once; the provider's own word then ends it, or not."""
    dead, fine = site.world.connect("c1"), site.world.connect("c2")
    assert send(site, token(private)) == (202, "")
    site.world.script.answer = lambda _: refused("invalid_grant")

    site.world.tick()

    row = site.world.row(dead)
    assert (row.status, row.status_cause, row.parked_reason) == (
        "reconnect_required",
        "invalid_grant",
        "reconnect_required",
    )
    assert "signal" in site.world.events(dead)
    assert site.world.row(fine).status == "active"
    assert site.world.row(fine).lease_token == 0


def test_a_false_alarm_breaks_nothing(site: Site, private: RSAPrivateKey):
    """A connection that still works is only refreshed early."""
    one = site.world.connect("c1")
    assert send(site, token(private)) == (202, "")

    assert site.world.tick()["refreshed"] == 1
    assert site.world.row(one).status == "active"


def test_a_notice_counts_once(site: Site, private: RSAPrivateKey):
    """The same event id again is accepted and does nothing."""
    one = site.world.connect("c1")
    text = token(private, jti="same")

    assert [send(site, text) for _ in range(3)] == [(202, "")] * 3
    assert send(site, token(private, jti="same")) == (202, "")

    assert site.world.events(one).count("signal") == 1
    stored = site.world.one("select * from signal")
    assert (stored.event_id, stored.connections) == ("same", 1)


def test_what_ends_nothing_is_only_written_down(site: Site, private: RSAPrivateKey):
    """A test message, or a notice about an account that we do not have."""
    one = site.world.connect("c1")
    unknown = {REVOKED: {"subject": {"sub": "nobody"}}}

    assert send(site, token(private, events={VERIFICATION: {"state": "x"}})) == (202, "")
    assert send(site, token(private, events=unknown)) == (202, "")

    assert "signal" not in site.world.events(one)
    assert site.world.one("select count(*) as n from signal").n == 2


def test_what_the_issuer_did_not_make_for_us_is_refused(site: Site, private: RSAPrivateKey):
    """Another key, issuer, audience or time, no signature, a shared secret: nothing is written."""
    other = generate_private_key(65_537, 2_048)
    site.world.connect("c1")
    day = 86_400
    bad: list[str | bytes] = [
        token(other),
        token(private, kid=None),
        token(private, kid="k2"),
        token(private, iss="https://evil.example/"),
        token(private, aud="somebody-else"),
        token(private, iat=int(time.time()) + day),
        token(private, exp=int(time.time()) - day),
        token(private, jti=None),
        token(private, events=None),
        token("", algorithm="none"),
        token("k" * 32, algorithm="HS256"),
        token(private)[:-4] + "AAAA",
        "",
        "x.y.z",
        b"\xff\xfe",
    ]

    assert {send(site, text) for text in bad} == {(403, "signal_unverified")}
    assert send(site, token(private, iat=int(time.time()) - 8 * day)) == (400, "invalid_signal")
    assert send(site, token(private, events={})) == (400, "invalid_signal")
    assert send(site, token(private, events={"x": {}}, jti="a\nb")) == (400, "invalid_signal")
    assert site.world.rows("select * from signal") == []


def test_keys_are_asked_for_once(site: Site, private: RSAPrivateKey, key_server: Server):
    """Neither good tokens nor made-up key ids make us fetch the keys again and again."""
    before = len(key_server.received)

    for kid in ("k1", "made", "up", "k1"):
        send(site, token(private, kid=kid))

    assert len(key_server.received) == before + 1


def test_without_keys_the_sender_is_asked_to_come_again(
    site: Site, private: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
):
    """What cannot be verified now is neither taken nor refused for good, and asks once."""
    asked = []

    async def unreachable(*_: object) -> bytes:
        asked.append(1)
        raise ValueError

    monkeypatch.setattr(key_sets, "_fetch", unreachable)

    assert [send(site, token(private)) for _ in range(3)] == [(503, "keys_unavailable")] * 3
    assert len(asked) == 1


def notice(**fields: object) -> bytes:
    """A plain notice."""
    return json.dumps({"id": str(uuid4()), "type": "revoked", "account": "a-1", **fields}).encode()


def signature(body: bytes) -> str:
    """What paced would sign it with."""
    return hmac.digest(b"hook-secret", body, "sha256").hex()


def test_a_plain_notice_finds_the_account_in_the_metadata(site: Site):
    """The account's id at the provider need not be the external id."""
    one = site.world.connect(provider="paced", metadata={"account": "a-1"})
    other = site.world.connect("a-1", provider="paced")
    body = notice()

    assert send(site, body, "paced", **{"x-signature": signature(body)}) == (202, "")

    assert "signal" in site.world.events(one)
    assert "signal" not in site.world.events(other)


def test_bad_notices_are_refused(site: Site):
    """Each with one code: unsigned, not JSON, nonsense, too large, nobody's."""
    good, huge, text = notice(), b"x" * 70_000, b"not json"

    assert send(site, good, "paced") == (403, "signal_unverified")
    assert send(site, good, "paced", **{"x-signature": "00"}) == (403, "signal_unverified")
    assert send(site, text, "paced", **{"x-signature": signature(text)}) == (400, "invalid_signal")
    nothing = b"{}"
    assert send(site, nothing, "paced", **{"x-signature": signature(nothing)}) == (
        400,
        "invalid_signal",
    )
    assert send(site, huge, "paced") == (413, "too_large")
    assert send(site, good, "meta") == (404, "not_found")
    assert send(site, good, "no-such") == (404, "not_found")
    assert site("GET", "/v1/signals/paced", key=None).status_code == 405
