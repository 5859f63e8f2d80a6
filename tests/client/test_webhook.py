"""`verify_webhook` takes what is signed as Standard Webhooks says, and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from refresher.client import UnverifiedWebhook, verify_webhook
from refresher.errors import SettingsError

NOW = 1_900_000_000
OLD, NEW, OTHER = (f"whsec_{b64encode(letter * 32).decode()}" for letter in (b"o", b"n", b"x"))
ABOUT = uuid4()
TOLD: dict[str, Any] = {
    "type": "connection.recovered",
    "timestamp": "2030-03-17T17:46:40Z",
    "data": {"connection_id": str(ABOUT), "external_id": "1042 ☂", "was": "reconnect_required"},
}


def signed(told: object = TOLD, secret: str = NEW, at: int = NOW) -> tuple[bytes, dict[str, str]]:
    """Returns a message as a library that we did not write signs it."""
    body = told if isinstance(told, str) else json.dumps(told)
    made = Webhook(secret).sign("msg-1", datetime.fromtimestamp(at, UTC), body)
    return body.encode(), {
        "Webhook-Id": "msg-1",
        "WEBHOOK-TIMESTAMP": str(at),
        "webhook-signature": made,
    }


def test_what_is_signed_is_an_event() -> None:
    """Header names in any case, a body as text or bytes; what it is about is typed."""
    body, headers = signed()
    event = verify_webhook(body, headers, NEW, now_epoch_seconds=NOW)
    assert event == verify_webhook(body.decode(), headers, [NEW], now_epoch_seconds=NOW)
    assert (event.id, event.type, event.connection_id) == ("msg-1", TOLD["type"], ABOUT)
    assert (event.external_id, event.provider, event.organization_id) == ("1042 ☂", None, None)
    assert event.occurred_at == datetime.fromisoformat(TOLD["timestamp"])
    assert event.sent_at == datetime.fromtimestamp(NOW, UTC)


def test_either_secret_will_do_while_one_changes() -> None:
    """The sender may sign with both, and the receiver may know both."""
    body, headers = signed(secret=OLD)
    second = signed(secret=NEW)[1]["webhook-signature"]
    both = headers | {"webhook-signature": f"v2,x {headers['webhook-signature']} {second}"}
    for secret in (OLD, NEW, [NEW, OLD], [OTHER, OLD]):
        assert verify_webhook(body, both, secret, now_epoch_seconds=NOW)
    assert verify_webhook(body, headers, [NEW, OLD], now_epoch_seconds=NOW)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"secret": OTHER}, "bad_signature"),
        ({"body": b'{"type":"x"}'}, "bad_signature"),
        ({"webhook-signature": "v1,"}, "bad_signature"),
        ({"webhook-signature": "v1,☂ \udcff"}, "bad_signature"),
        ({"Webhook-Id": "msg-2"}, "bad_signature"),
        ({"WEBHOOK-TIMESTAMP": str(NOW + 1)}, "bad_signature"),
        ({"WEBHOOK-TIMESTAMP": "1_900"}, "incomplete"),
        ({"WEBHOOK-TIMESTAMP": "9" * 400}, "incomplete"),
        ({"Webhook-Id": "\udcff"}, "incomplete"),
        ({"webhook-signature": ""}, "incomplete"),
        ({"now": NOW + 301}, "bad_time"),
        ({"now": NOW - 301}, "bad_time"),
    ],
)
def test_what_is_not_ours_is_refused(changed: dict[str, Any], code: str) -> None:
    """Whatever was changed on the way, recorded and played again, or signed by somebody else."""
    body, headers = signed()
    headers |= {name: given for name, given in changed.items() if "-" in name}
    with pytest.raises(UnverifiedWebhook) as refused:
        verify_webhook(
            changed.get("body", body),
            headers,
            changed.get("secret", NEW),
            now_epoch_seconds=changed.get("now", NOW),
        )
    assert refused.value.code == code, refused.value


@pytest.mark.parametrize(
    "told",
    [
        "no json",
        "[]",
        "{}",
        {**TOLD, "timestamp": "2030-01-01T12:00:00"},
        {**TOLD, "timestamp": 1},
        {**TOLD, "type": 1},
        {**TOLD, "data": []},
        {**TOLD, "data": {"connection_id": "7"}},
        {**TOLD, "data": {"connection_id": 7}},
    ],
)
def test_what_is_signed_and_no_event_is_refused(told: object) -> None:
    """Another system's webhook with our secret, say."""
    body, headers = signed(told)
    with pytest.raises(UnverifiedWebhook) as refused:
        verify_webhook(body, headers, NEW, now_epoch_seconds=NOW)
    assert refused.value.code == "bad_body"


@pytest.mark.parametrize("secret", ["", " ", None, [], ["whsec_"], "whsec_no base64!", [NEW, ""]])
def test_a_missing_secret_is_told(secret: Any) -> None:
    """It is a setting that is wrong, not a message; the sentence repeats none of it."""
    body, headers = signed()
    with pytest.raises(SettingsError, match="secret") as told:
        verify_webhook(body, headers, secret)
    assert NEW not in str(told.value)
