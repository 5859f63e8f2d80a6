"""What providers' notices say, and which are genuine."""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.connection import Secret
from refresher.rules.signals import (
    BadSignal,
    Encoding,
    Signal,
    SignalSource,
    SourceKind,
    read_claims,
    read_notice,
    verify_hmac,
)

NOW = 1_800_000_000.0
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
OAUTH = "https://schemas.openid.net/secevent/oauth/event-type/"
ANN = {"subject": {"subject_type": "iss-sub", "iss": "https://a.example/", "sub": "ann"}}
SOURCE = SignalSource(
    "acme",
    SourceKind.HMAC,
    secret=Secret("k"),
    signature_header="X-Signature",
    subject_path=("data", "account"),
    revoked_events=frozenset({"revoked"}),
)
BODY = b'{"id": "e1"}'


def claims(events: Any, **more: Any) -> dict[str, Any]:
    """Claims of a token that was issued a minute ago."""
    return {"jti": "e1", "iat": NOW - 60, "events": events, **more}


@pytest.mark.parametrize(
    ("given", "subject", "is_check"),
    [
        (claims({f"{OAUTH}tokens-revoked": ANN}), "ann", True),
        (claims({f"{RISC}sessions-revoked": ANN}), "ann", True),
        (claims({f"{RISC}account-disabled": {**ANN, "reason": "hijacking"}}), "ann", True),
        (claims({f"{RISC}account-purged": {"sub_id": {"sub": "ann"}}}), "ann", True),
        (claims({f"{RISC}account-disabled": {}}, sub_id={"sub": "ann"}), "ann", True),
        (claims({f"{RISC}account-disabled": None}, sub="ann"), "ann", True),
        (claims({f"{RISC}account-disabled": {"subject": {"sub": ""}}}), None, True),
        (claims({f"{RISC}account-disabled": {"subject": "ann"}}, sub=7), None, True),
        (claims({f"{RISC}account-enabled": ANN}), "ann", False),
        (claims({f"{RISC}verification": {"state": "x"}}), None, False),
        (claims({f"{OAUTH}token-revoked": {"subject": {"token": "t"}}}), None, False),
        (claims({f"{RISC}verification": {}, f"{RISC}account-purged": ANN}), "ann", True),
    ],
)
def test_a_security_event_token_is_read(given, subject, is_check):
    """Events that may end a grant are checked; others are only written down."""
    signal = read_claims(given, NOW)

    assert (signal.event_id, signal.subject, signal.is_check) == ("e1", subject, is_check)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (claims({}), "no events"),
        (claims([]), "no events"),
        (claims({"x": {}}, iat=None), "no iat"),
        (claims({"x": {}}, iat=True), "no iat"),
        (claims({"x": {}}, iat=NOW - 8 * 86_400), "more than 7 days"),
        (claims({"x": {}}, jti=""), "jti must be"),
        (claims({"x": {}}, jti="a" * 256), "jti must be"),
        (claims({"x": {}}, jti=["a"]), "jti must be"),
        (claims({"x": {}}, jti="a\nb"), "control character"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(given, sentence):
    """Each fault in one sentence."""
    with pytest.raises(BadSignal, match=sentence):
        read_claims(given, NOW)


def signed(body: bytes = BODY, key: bytes = b"k") -> bytes:
    """The HMAC of a body."""
    return hmac.digest(key, body, "sha256")


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        (SOURCE, {"x-signature": signed().hex()}),
        (replace(SOURCE, signature_prefix="sha256="), {"x-signature": "sha256=" + signed().hex()}),
        (
            replace(SOURCE, signature_encoding=Encoding.BASE64),
            {"x-signature": b64encode(signed()).decode()},
        ),
        (
            replace(SOURCE, timestamp_header="X-At"),
            {"x-at": "1800000010", "x-signature": signed(b"1800000010." + BODY).hex()},
        ),
    ],
)
def test_a_genuine_notice_is_taken(source, headers):
    """In each form that a source may have."""
    verify_hmac(source, headers, BODY, NOW)


@pytest.mark.parametrize(
    ("source", "headers", "sentence"),
    [
        (SOURCE, {}, "signature in X-Signature is wrong"),
        (SOURCE, {"x-signature": ""}, "is wrong"),
        (SOURCE, {"x-signature": signed(b"other").hex()}, "is wrong"),
        (SOURCE, {"x-signature": signed(key=b"q").hex()}, "is wrong"),
        (SOURCE, {"x-signature": signed().hex().upper()}, "is wrong"),
        (SOURCE, {"x-signature": "ä"}, "is wrong"),
        (replace(SOURCE, secret=None), {"x-signature": signed(key=b"").hex()}, "is wrong"),
        (replace(SOURCE, timestamp_header="X-At"), {}, "X-At is missing"),
        (replace(SOURCE, timestamp_header="X-At"), {"x-at": "soon"}, "X-At is missing"),
        (replace(SOURCE, timestamp_header="X-At"), {"x-at": "9" * 13}, "X-At is missing"),
        (replace(SOURCE, timestamp_header="X-At"), {"x-at": "1700000000"}, "five minutes"),
        (
            replace(SOURCE, timestamp_header="X-At"),
            {"x-at": "1800000010", "x-signature": signed(b"1800000011." + BODY).hex()},
            "is wrong",
        ),
    ],
)
def test_a_notice_that_is_not_genuine_is_refused(source, headers, sentence):
    """A wrong key, another body, another time, no signature."""
    with pytest.raises(BadSignal, match=sentence) as raised:
        verify_hmac(source, headers, BODY, NOW)

    assert not raised.value.genuine


@pytest.mark.parametrize(
    ("notice", "expected"),
    [
        (
            {"id": "e1", "type": "revoked", "data": {"account": "ann"}},
            Signal("e1", "revoked", "ann", is_check=True),
        ),
        (
            {"id": 17, "type": "revoked", "data": {"account": 42}},
            Signal("17", "revoked", "42", is_check=True),
        ),
        ({"id": "e1", "type": "other"}, Signal("e1", "other", None, is_check=False)),
        (
            {"id": "e1", "type": "other", "data": "flat"},
            Signal("e1", "other", None, is_check=False),
        ),
    ],
)
def test_a_notice_is_read(notice, expected):
    """By the paths of its source."""
    assert read_notice(SOURCE, notice) == expected


@pytest.mark.parametrize(
    ("notice", "sentence"),
    [
        ([], "id must be"),
        ("text", "id must be"),
        ({"type": "revoked"}, "id must be"),
        ({"id": True, "type": "revoked"}, "id must be"),
        ({"id": "e1"}, "type must be"),
        ({"id": "e1", "type": "revoked"}, "data.account must be"),
        ({"id": "e1", "type": "revoked", "data": {"account": {}}}, "data.account must be"),
        ({"id": "e\x00", "type": "revoked"}, "control character"),
    ],
)
def test_a_notice_that_makes_no_sense_is_refused(notice, sentence):
    """Each fault names the member."""
    with pytest.raises(BadSignal, match=sentence):
        read_notice(SOURCE, notice)
