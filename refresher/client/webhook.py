"""`verify_webhook`: whether a webhook came from refresher, and what it tells. docs/webhooks.md.

    event = verify_webhook(request.body, request.headers, "whsec_…")

The form is Standard Webhooks 1.0 (https://www.standardwebhooks.com). Needs nothing but the standard
library.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from refresher.errors import SettingsError, UnverifiedWebhook
from refresher.rules.connection import Secret
from refresher.rules.webhooks import key_of, signature

TOLERANCE_SECONDS = 300.0
"""How far the sender's clock and ours may be apart, the way included."""
MOST_DIGITS = 11


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What refresher told: `type` says what happened, `data` the facts; docs/notifications.md.

    `id` is the same however often the event comes, `occurred_at` is when it happened, `sent_at` when
    this attempt left. What an event is not about is None.
    """

    id: str
    type: str
    occurred_at: datetime
    sent_at: datetime
    data: Mapping[str, Any] = field(repr=False)

    @property
    def connection_id(self) -> UUID | None:
        """The connection that it is about."""
        given = self.data.get("connection_id")
        return None if given is None else UUID(given)

    @property
    def organization_id(self) -> str | None:
        """Whose it is."""
        return self.data.get("organization_id")

    @property
    def provider(self) -> str | None:
        """At which provider."""
        return self.data.get("provider")

    @property
    def external_id(self) -> str | None:
        """What the application calls the connection's account."""
        return self.data.get("external_id")


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Secret | Iterable[str | Secret],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now_epoch_seconds: float | None = None,
) -> WebhookEvent:
    """Returns the event of a webhook that is signed by `secret`, or by one of several.

    `body` is what came, byte for byte; `headers` are looked up in any case. Raises `UnverifiedWebhook`,
    whose `code` is `incomplete` (a header is missing or garbled), `bad_time` (more than
    `tolerance_seconds` ago or ahead of `now_epoch_seconds`, by itself the clock's), `bad_signature`
    (another secret, another body) or `bad_body` (signed, and no event). Raises `SettingsError` for a
    secret that is none.
    """
    keys = webhook_secrets(secret)
    raw = body.encode() if isinstance(body, str) else bytes(body)
    message = _envelope(headers)
    now = time.time() if now_epoch_seconds is None else now_epoch_seconds
    if not _is_signed(message, raw, keys):
        raise UnverifiedWebhook(
            "bad_signature",
            "no signature of the webhook is right: another secret, or the body is not as it came",
        )
    if abs(now - int(message.sent_at)) > tolerance_seconds:
        raise UnverifiedWebhook(
            "bad_time",
            f"the webhook was sent {abs(now - int(message.sent_at)):.0f} s from now by this machine's "
            f"clock, and {tolerance_seconds:g} s are allowed",
        )
    return _event(message, raw)


def webhook_secrets(given: str | Secret | Iterable[str | Secret] | None) -> tuple[Secret, ...]:
    """Returns the secrets; raises `SettingsError`, which repeats none, where one or all are missing."""
    several = [given] if isinstance(given, str | Secret) else list(given or ())
    secrets = tuple(one if isinstance(one, Secret) else Secret(str(one).strip()) for one in several)
    if not secrets or not all(secrets):
        raise SettingsError(
            "the webhook secret is missing: `refresher webhooks add URL` prints it, once"
        )
    for one in secrets:
        try:
            key_of(one)
        except ValueError as error:
            raise SettingsError(str(error)) from None
    return secrets


class _Envelope(NamedTuple):
    id: str
    sent_at: str
    signatures: tuple[str, ...]


def _envelope(headers: Mapping[str, str]) -> _Envelope:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    found = {str(name).lower(): str(value) for name, value in headers.items()}
    for name in names:
        if not found.get(name):
            raise UnverifiedWebhook(
                "incomplete", f"the header {name} is missing: no webhook of ours"
            )
    id_, sent_at, signatures = (found[name] for name in names)
    if not (id_.isascii() and id_.isprintable()):
        raise UnverifiedWebhook("incomplete", "the header webhook-id is no id of refresher's")
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= MOST_DIGITS):
        raise UnverifiedWebhook(
            "incomplete", "the header webhook-timestamp is no number of seconds"
        )
    return _Envelope(id_, sent_at, tuple(signatures.split()))


def _is_signed(message: _Envelope, body: bytes, secrets: tuple[Secret, ...]) -> bool:
    """Compares all with all: how long it takes tells nothing about which was nearly right."""
    ours = [signature(message.id, message.sent_at, body, one).encode() for one in secrets]
    theirs = [one.encode("utf-8", "surrogateescape") for one in message.signatures]
    return any([hmac.compare_digest(a, b) for a in ours for b in theirs])  # noqa: C419


def _event(message: _Envelope, body: bytes) -> WebhookEvent:
    try:
        told = json.loads(body)
        kind, data = told["type"], told["data"]
        at = datetime.fromisoformat(told["timestamp"])
    except (ValueError, KeyError, TypeError):
        raise _no_event() from None
    if not isinstance(kind, str) or not isinstance(data, dict) or at.tzinfo is None:
        raise _no_event()
    sent_at = datetime.fromtimestamp(int(message.sent_at), UTC)
    event = WebhookEvent(message.id, kind, at.astimezone(UTC), sent_at, data)
    try:
        _ = event.connection_id
    except (ValueError, AttributeError, TypeError):
        raise _no_event() from None
    return event


def _no_event() -> UnverifiedWebhook:
    return UnverifiedWebhook("bad_body", "the body is signed, and is no event of refresher's")
