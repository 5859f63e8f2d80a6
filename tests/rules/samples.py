"""Values that the tests of the rules are made of; each test names only what it is about."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from refresher.rules.connection import App, Connection, Sealed, Status
from refresher.rules.decision import Before
from refresher.rules.outcomes import Reply
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EPOCH = NOW.timestamp()
ID = UUID("0190f3a0-0000-7000-8000-000000000007")

SAME_EACH_TIME = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Generated examples that are the same in each run, so that a red build stays red.

However long they take to draw and to run: a busy machine is no fault. In pytest this is the default.
"""


SPREADS = st.floats(min_value=0, max_value=1, exclude_max=True)
_SHARES = st.floats(min_value=0.001, max_value=0.999)
POLICIES = st.builds(
    Policy,
    lead_share=_SHARES,
    long_lived_lead_share=_SHARES,
    lead_jitter_share=st.floats(min_value=0, max_value=0.999),
    min_refresh_interval_seconds=st.floats(min_value=0.001, max_value=HOUR),
    attempts=st.integers(min_value=1, max_value=100),
    attempt_interval_seconds=st.floats(min_value=0.001, max_value=DAY),
    attempt_coefficient=st.floats(min_value=1, max_value=10),
    slow_lane_max_seconds=st.floats(min_value=0.001, max_value=DAY),
)

NAMED = {"organization_id": "org", "provider": "acme", "external_id": "42"}
"""The least that a connection handed over must say."""


def provider(**facts: Any) -> Provider:
    """Returns a plain OAuth provider, except for `facts`."""
    return replace(Provider("acme", "https://acme.example/token"), **facts)


def reply(body: object = b"", status: int | None = 200, **given: Any) -> Reply:
    """Returns a reply; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, body=raw, **given)


def before(**known: Any) -> Before:
    """Returns what was known of an hour's token, refreshed in time for the first time."""
    usual = Before(
        attempt=0,
        unknown_outcomes=0,
        left_seconds=12 * MINUTE,
        last_lifetime_seconds=None,
        now_epoch_seconds=EPOCH,
        spread=0.5,
        dice=0.0,
    )
    return replace(usual, **known)


def connection(**stored: Any) -> Connection:
    """Returns a connection that may be refreshed, except for `stored`."""
    usual = Connection(
        id=ID,
        organization_id="org",
        provider="acme",
        external_id="1",
        credential_version=1,
        grant_number=1,
        status=Status.ACTIVE,
        access_token=Sealed(b"sealed access token"),
        refresh_token=Sealed(b"sealed refresh token"),
        expires_at=NOW,
        issued_at=NOW,
        lifetime_seconds=HOUR,
        refresh_token_expires_at=None,
        app=App(UUID(int=1), "client", None),
    )
    return replace(usual, **stored)


def jwt(payload: object) -> str:
    """Returns a token in the form of a JWT, with a signature that proves nothing."""
    middle = urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{middle}.c2lnbmF0dXJl"


def nested(levels: int) -> object:
    """Returns an object that is nested so many levels deep."""
    value: object = {}
    for _ in range(levels - 2):
        value = [value]
    return {"a": value}
