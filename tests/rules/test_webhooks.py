"""Filters, secrets and signatures of webhooks, as tables."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from refresher.rules.connection import Secret
from refresher.rules.notices import Kind
from refresher.rules.webhooks import (
    body,
    filter_faults,
    headers,
    key_of,
    make_secret,
    wants,
)

KINDS = [kind.value for kind in Kind]
OLD, NEW = make_secret(b"o" * 32), make_secret(b"n" * 32)


@pytest.mark.parametrize(
    ("filters", "kind", "wanted"),
    [
        (["*"], "app.recovered", True),
        (["connection.*"], "connection.recovered", True),
        (["connection.*"], "app.recovered", False),
        (["app.recovered", "connection.expiring"], "connection.expiring", True),
        (["connection.expiring"], "connection.recovered", False),
        (["connection"], "connection.recovered", False),
    ],
)
def test_filters_name_kinds_or_their_subject(filters: list[str], kind: str, wanted: bool) -> None:
    """An exact kind, all of a subject, or everything."""
    assert wants(filters, kind) is wanted


@pytest.mark.parametrize(
    ("filters", "parts"),
    [
        (["*"], []),
        (["connection.*", "app.misconfigured", "webhook.*"], []),
        ([], ["name one event or more"]),
        (["connection.recoverd"], ['"connection.recoverd"', 'did you mean "connection.recovered"?']),
        (["conection.*"], ['did you mean "connection.*"?', "app.misconfigured", "* for all"]),
        (["connection"], ['no event is called "connection"']),
        (["connection.*", ""], ['no event is called ""']),
    ],
)  # fmt: skip
def test_a_filter_that_no_event_passes_is_told(filters: list[str], parts: list[str]) -> None:
    """A typo must not make an endpoint silent: the nearest name is offered, and all there are."""
    faults = filter_faults(filters, KINDS)
    assert len(faults) == (1 if parts else 0)
    for part in parts:
        assert part in faults[0]


def test_a_secret_is_whsec_and_base64() -> None:
    """What is made is read again; what is no secret is refused without being repeated."""
    assert key_of(NEW) == b"n" * 32
    assert NEW.reveal() == "whsec_" + b64encode(b"n" * 32).decode()
    for bad in ("", "whsec_", "whsec_not base64!", b64encode(b"n" * 32).decode()):
        with pytest.raises(ValueError, match="whsec_ and base64") as caught:
            key_of(Secret(bad))
        assert bad == "" or bad not in str(caught.value).replace("whsec_ and", "")


def test_receivers_verify_with_a_library_that_we_did_not_write() -> None:
    """The signature is that of Standard Webhooks; while two secrets are valid, either verifies."""
    now = int(datetime.now(UTC).timestamp())
    sent = body("connection.recovered", datetime.now(UTC), {"name": "Zoë “Q” ☂"})
    made = headers("0199a2b4-1", now, sent, [NEW, OLD])
    assert len(made["webhook-signature"].split(" ")) == 2
    for secret in (NEW, OLD):
        read = Webhook(secret.reveal()).verify(sent, dict(made))
        assert read["data"] == {"name": "Zoë “Q” ☂"}
    third = Webhook(make_secret(b"x" * 32).reveal())
    forged = sent.replace(b"recovered", b"expiring!")
    for verifier, text, told in (
        (third, sent, made),
        (Webhook(NEW.reveal()), forged, made),
        (Webhook(NEW.reveal()), sent, {**made, "webhook-id": "0199a2b4-2"}),
        (Webhook(NEW.reveal()), sent, headers("0199a2b4-1", now - 600, sent, [NEW])),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(text, dict(told))


def test_the_signature_is_the_specification_s_own_example() -> None:
    """The example of the specification's text comes out, byte for byte."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}', [secret])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-timestamp"] == "1614265330"


def test_the_body_says_what_happened_when() -> None:
    """Type, an instant of UTC and the data; the same bytes at each attempt."""
    at = datetime(2030, 1, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    made = body("app.recovered", at, {"app": "google/default"})
    assert made == body("app.recovered", at, {"app": "google/default"})
    assert json.loads(made) == {
        "type": "app.recovered",
        "timestamp": "2030-01-01T12:00:00Z",
        "data": {"app": "google/default"},
    }
