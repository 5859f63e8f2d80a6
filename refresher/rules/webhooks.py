"""What a webhook endpoint is told, and how it knows that it was us: events, secrets, signatures.

Pure. The form is that of Standard Webhooks 1.0 (https://www.standardwebhooks.com), so that receivers
verify with a library of theirs. When a message is sent again, and when no more: `rules/delivery.py`.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from refresher.errors import did_you_mean
from refresher.rules.connection import Secret

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
"""How many random bytes a secret has; the specification asks for 24 to 64."""
EVERYTHING = "*"
TEST_KIND = "webhook.test"
"""Sent by `refresher webhooks test` only, whatever the filters."""


def filter_faults(filters: Sequence[str], kinds: Collection[str]) -> list[str]:
    """Returns one sentence for each filter that no event can pass; `kinds` are those there are."""
    known = {*kinds, EVERYTHING, *(group_of(kind) for kind in kinds)}
    if not filters:
        return ["name one event or more, or * for all"]
    return [
        f'no event is called "{given}"{did_you_mean(given, known)}; there are '
        f"{', '.join(sorted(known - {EVERYTHING}))}, and * for all"
        for given in filters
        if given not in known
    ]


def group_of(kind: str) -> str:
    """Returns the filter for all events of this kind's subject: `connection.*`."""
    return f"{kind.partition('.')[0]}.*"


def wants(filters: Iterable[str], kind: str) -> bool:
    """Whether an endpoint with these filters is sent events of this kind."""
    return not {EVERYTHING, group_of(kind), kind}.isdisjoint(filters)


def make_secret(random_bytes: bytes) -> Secret:
    """Returns a signing secret in the form in which people and libraries exchange it."""
    return Secret(SECRET_PREFIX + b64encode(random_bytes).decode())


def key_of(secret: Secret) -> bytes:
    """Returns the bytes that sign; raises `ValueError`, which does not repeat the secret."""
    text = secret.reveal()
    try:
        key = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (NotBase64, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or not key:
        raise ValueError("a webhook secret is whsec_ and base64 behind it")
    return key


def body(kind: str, occurred_at: datetime, data: Mapping[str, object]) -> bytes:
    """Returns what is sent: what happened, when it did, and the facts. The same at each attempt."""
    instant = occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    message = {"type": kind, "timestamp": instant, "data": dict(data)}
    return json.dumps(message, separators=(",", ":"), sort_keys=False).encode()


def headers(
    message_id: str, sent_at_epoch_seconds: int, body: bytes, secrets: Sequence[Secret]
) -> dict[str, str]:
    """Returns the headers of one attempt; each valid secret adds a signature.

    The instant is that of the attempt: receivers refuse what is more than some minutes old, so that a
    message which somebody recorded cannot be played to them again. The id is that of the event.
    """
    sent_at = str(sent_at_epoch_seconds)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": " ".join(signature(message_id, sent_at, body, s) for s in secrets),
    }


def signature(message_id: str, sent_at: str, body: bytes, secret: Secret) -> str:
    """Returns one signature of a message: `v1,` and base64; id and time are signed as they travel."""
    signed = f"{message_id}.{sent_at}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key_of(secret), signed, 'sha256')).decode()}"
