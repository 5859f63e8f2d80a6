"""Whose account a consent is of (C20), and hosts and callbacks that may be believed (C24)."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.accounts import (
    Account,
    Expected,
    Unasked,
    account_in,
    callback_fault,
    claims_fault,
    claims_of,
    is_signed,
    issuer_of,
    told_host,
)
from refresher.rules.connect import hashed
from refresher.rules.connection import Secret
from refresher.rules.consent import Consent, Identity, Place
from refresher.rules.providers import Provider

HERE = Identity(found_in=("answer",), paths=(("id",),))


def entry(
    identity: dict[str, Any] | None = None, consent: dict[str, Any] | None = None
) -> Provider:
    """Returns an entry that tells accounts so."""
    told = Consent(identity=replace(HERE, **(identity or {})), **(consent or {}))
    return Provider("acme", "https://acme.example/token", connect=told)


@pytest.mark.parametrize(
    ("identity", "told", "expected"),
    [
        ({}, {"answer": {"id": "7"}}, Account("7")),
        ({}, {"answer": {"id": 17841400000000001}}, Account("17841400000000001")),
        ({}, {"answer": {"id": True}}, None),
        ({}, {"answer": {"id": 1.5}}, None),
        ({}, {"answer": {"id": "  "}}, None),
        ({}, {"answer": {"id": "a\nb"}}, None),
        ({}, {"answer": {"id": "x" * 513}}, None),
        ({}, {"answer": {}}, None),
        ({}, {}, None),
        ({"label_path": ("name",)}, {"answer": {"id": "7", "name": "Ann"}}, Account("7", "Ann")),
        ({"label_path": ("name",)}, {"answer": {"id": "7", "name": None}}, Account("7")),
        ({"paths": (("tid",), ("oid",))}, {"answer": {"tid": "t", "oid": "o"}}, Account("t/o")),
        ({"paths": (("tid",), ("oid",))}, {"answer": {"tid": "t"}}, None),
        ({"paths": (("a",), ("b",))}, {"answer": {"a": "x" * 400, "b": "x" * 400}}, None),
        ({"paths": (("items", 0, "id"),)}, {"answer": {"items": [{"id": "c"}]}}, Account("c")),
        ({"found_in": ("callback",), "paths": (("shop",),)}, {"callback": {"shop": "a"}}, Account("a")),
        ({"found_in": ("userinfo",)}, {"answer": {"id": "7"}}, Unasked.USERINFO),
        ({"found_in": ("userinfo",)}, {"userinfo": {"id": "7"}}, Account("7")),
        ({"found_in": ("userinfo", "answer")}, {"userinfo": {}, "answer": {"id": "7"}}, Account("7")),
        ({"found_in": ("id_token", "userinfo")}, {"id_token": {"id": "7"}}, Account("7")),
        ({"found_in": ("id_token", "userinfo")}, {"id_token": {}}, Unasked.USERINFO),
    ],
)  # fmt: skip
def test_the_first_place_that_tells_counts(
    identity: dict[str, Any], told: dict[Place, object], expected: Account | Unasked | None
):
    """An id is a text or a whole number; of several parts none may be missing."""
    assert account_in(entry(identity), told, None) == expected


def test_an_entry_without_consents_tells_no_account():
    """Nobody is sent to it."""
    assert account_in(Provider("acme", "https://acme.example/token"), {}, None) is None


@pytest.mark.parametrize(
    ("provider", "place", "host", "expected"),
    [
        (entry({"found_in": ("userinfo",), "url": "https://{host}/me"}), "userinfo", "a.example",
         "a.example/7"),
        (entry({"found_in": ("userinfo",), "url": "https://{host}/me"}), "userinfo", None, "7"),
        (replace(entry({"found_in": ("userinfo",)}), identity_url="https://{host}/me",
                 default_host="d.example"), "userinfo", None, "d.example/7"),
        (entry({"found_in": ("userinfo",), "url": "https://acme.example/me"}), "userinfo",
         "a.example", "7"),
        (entry({"found_in": ("id_token",)}, {"issuer": "https://{host}"}), "id_token", "a.example",
         "a.example/7"),
        (replace(entry({"found_in": ("id_token",)}), issuer="https://{host}"), "id_token", "a.example",
         "a.example/7"),
        (entry({"found_in": ("answer",)}, {"issuer": "https://{host}"}), "answer", "a.example", "7"),
    ],
)  # fmt: skip
def test_an_id_of_one_host_is_nobody_at_another(
    provider: Provider, place: Place, host: str | None, expected: str
):
    """Where each host has ids of its own, the host stands before it."""
    assert account_in(provider, {place: {"id": 7}}, host) == Account(expected)


def jwt(payload: bytes) -> str:
    """Returns an unsigned token."""
    return f"e30.{urlsafe_b64encode(payload).decode().rstrip('=')}.sig"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (jwt(b'{"sub": "7"}'), {"sub": "7"}),
        (jwt(b"[1]"), None),
        (jwt(b"{"), None),
        (jwt(b"\xff"), None),
        ("a.b", None),
        (None, None),
        (7, None),
    ],
)
def test_claims_are_read_and_never_trusted_to_be_there(token: object, expected: object):
    """What is no token has none."""
    assert claims_of(token) == expected


MICROSOFT = "https://login.microsoftonline.com/{tid}/v2.0"


@pytest.mark.parametrize(
    ("template", "claims", "host", "expected"),
    [
        (None, {}, None, None),
        ("https://acme.example", {"iss": "x"}, None, "https://acme.example"),
        (MICROSOFT, {"tid": "9188"}, None, "https://login.microsoftonline.com/9188/v2.0"),
        (MICROSOFT, {"tid": "a/b"}, None, "https://login.microsoftonline.com/?/v2.0"),
        (MICROSOFT, {}, None, "https://login.microsoftonline.com/?/v2.0"),
        ("https://{host}/o", {}, "a.example", "https://a.example/o"),
        ("https://{host}/o", {"host": "evil"}, None, "https://?/o"),
    ],
)
def test_an_issuer_may_have_a_claim_in_it(
    template: str | None, claims: dict[str, object], host: str | None, expected: str | None
):
    """Microsoft's has the tenant's id; a claim that is no plain word makes none."""
    assert issuer_of(entry(consent={"issuer": template}), claims, host) == expected


def test_an_entry_of_an_issuer_expects_that():
    """Also one without `[connect]`."""
    provider = Provider("acme", issuer="https://i.example")
    assert issuer_of(provider, {}, None) == "https://i.example"
    assert issuer_of(replace(entry(), issuer="https://i.example"), {}, None) == "https://i.example"


NOW = 1_000.0
GOOD = {"aud": "id", "iss": "https://i.example", "exp": 1_000, "nonce": "n"}
EXPECTED = Expected("id", "https://i.example", hashed("n"), nonce_must=True)


@pytest.mark.parametrize(
    ("claims", "expected", "fault"),
    [
        ({}, {}, None),
        ({"aud": ["id", "other"], "azp": "id"}, {}, None),
        ({"aud": ["id", "other"]}, {}, None),
        ({"aud": ["id", "other"], "azp": "other"}, {}, "the id_token was given to another app"),
        ({"aud": "other"}, {}, "the id_token is for another app"),
        ({"aud": None}, {}, "the id_token is for another app"),
        ({"iss": "https://i.example/"}, {},
         "the id_token is of another issuer than https://i.example"),
        ({"iss": None}, {"issuer": None}, None),
        ({"exp": None}, {}, "the id_token has no end"),
        ({"exp": True}, {}, "the id_token has no end"),
        ({"exp": 881}, {}, None),
        ({"exp": 879}, {}, "the id_token has expired"),
        ({"nonce": None}, {}, "the id_token has no nonce"),
        ({"nonce": None}, {"nonce_must": False}, None),
        ({"nonce": "m"}, {"nonce_must": False}, "the id_token has the nonce of another attempt"),
        ({"nonce": 7}, {}, "the id_token has the nonce of another attempt"),
        ({"nonce": "m"}, {"nonce_hash": None}, None),
    ],
)  # fmt: skip
def test_an_id_token_is_for_us_of_its_issuer_and_of_this_attempt(
    claims: dict[str, object], expected: dict[str, Any], fault: str | None
):
    """OpenID Connect Core 1.0 section 3.1.3.7, with two minutes for clocks that differ."""
    assert claims_fault({**GOOD, **claims}, replace(EXPECTED, **expected), NOW) == fault


@pytest.mark.parametrize(
    ("claims", "callback", "fault"),
    [
        ({}, {"realmId": "1"}, None),
        ({"realmid": "1"}, {"realmId": "1"}, None),
        ({"realmid": 1}, {"realmId": "1"}, None),
        ({"realmid": "2"}, {"realmId": "1"}, "realmId of the callback is another than realmid of"),
        ({"realmid": "2"}, {}, "realmId of the callback is another than realmid of"),
    ],
)
def test_a_claim_confirms_what_passed_through_the_browser(
    claims: dict[str, object], callback: dict[str, str], fault: str | None
):
    """Where there is one: somebody else's company in a callback is refused."""
    consent = Consent(
        identity=Identity(found_in=("callback",), paths=(("realmId",),)),
        callback_claims={"realmId": "realmid"},
    )
    said = callback_fault(consent, claims, callback)
    assert said is None if fault is None else said and said.startswith(fault)


ZOHO = replace(entry(), host_pattern=r"accounts\.zoho\.(com|eu)|127\.0\.0\.1:[0-9]+")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accounts.zoho.eu", "accounts.zoho.eu"),
        ("https://accounts.zoho.eu", "accounts.zoho.eu"),
        ("https://accounts.zoho.eu/", "accounts.zoho.eu"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("https://evil.example", None),
        ("https://accounts.zoho.eu.evil.example", None),
        ("https://accounts.zoho.eu@evil.example", None),
        ("https://ann@accounts.zoho.eu", None),
        ("https://accounts.zoho.eu/path", None),
        ("https://accounts.zoho.eu?q", None),
        ("https://accounts.zoho.eu:8443", None),
        ("ftp://accounts.zoho.eu", None),
        ("https://[", None),
        ("accounts.zoho.eu\n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_host_that_is_told_must_be_one_of_the_providers(text: object, expected: str | None):
    """Whole, however it is told: a code or a token goes there next (T23)."""
    assert told_host(ZOHO, text) == expected
    assert told_host(entry(), text) is None


def signed(message: str, secret: str = "hush") -> str:
    """Returns what Shopify puts beside a callback."""
    return hmac.digest(secret.encode(), message.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (signed("code=c&host=YQ==&shop=a.example&state=s"), True),
        (signed("code=c&host=YQ%3D%3D&shop=a.example&state=s"), True),
        (signed("code=c&host=YQ==&shop=b.example&state=s"), False),
        (signed("code=c&host=YQ==&shop=a.example&state=s", "other"), False),
        ("é", False),
        ("", False),
    ],
)
def test_a_signed_callback_is_believed_only_with_our_secret(given: str, expected: bool):
    """All but the signature itself is covered, in the order of the names (T23)."""
    pairs = [
        ("state", "s"),
        ("code", "c"),
        ("shop", "a.example"),
        ("host", "YQ=="),
        ("hmac", given),
    ]
    assert is_signed(pairs, "hmac", Secret("hush")) is expected
    assert not is_signed(pairs[:-1], "hmac", Secret("hush"))


def test_samples_are_what_they_say():
    """The claims that the table begins with are good ones."""
    assert claims_of(jwt(json.dumps(GOOD).encode())) == GOOD
