"""A session and an attempt of it, for tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from refresher.rules.callbacks import Callback
from refresher.rules.connect import (
    Attempt,
    Finish,
    Flow,
    Kind,
    Session,
    State,
    cookie_name,
    hashed,
)
from refresher.rules.connect_steps import (
    Known,
    Right,
)
from refresher.rules.connection import Secret

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SOON, PAST = NOW + timedelta(minutes=10), NOW - timedelta(seconds=1)
# The example of RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SESSION = Session(
    id=uuid4(),
    kind=Kind.NEW,
    flow=Flow.REDIRECT,
    finish=Finish.PAGE,
    state=State.OPEN,
    organization_id="org-1",
    provider="acme",
    app_name="default",
    external_id=None,
    connection_id=None,
    host=None,
    placeholders={},
    parameters={},
    scopes=(),
    required_scopes=(),
    account_hint=None,
    return_url=None,
    for_whom=None,
    leave_in_between_steps=False,
    allow_account_change=False,
    made_by="by cli:ann",
    key_id=None,
    outcome=None,
    trouble=None,
    attempts=0,
    attempt_id=None,
    created_at=NOW,
    opened_at=None,
    expires_at=SOON,
    ended_at=None,
    link_hash=hashed("link"),
)
ATTEMPT = Attempt(
    id=uuid4(),
    state_hash=hashed("state"),
    session_id=SESSION.id,
    cookie_hash=hashed("cookie"),
    slug="acme",
    redirect_uri="https://refresher.example/connect/callback/acme",
    code_url="https://acme.example/token",
    begun_at=NOW,
    expires_at=SOON,
    issuer="https://acme.example",
)
COOKIES = {cookie_name(ATTEMPT.state_hash, secure=True): "cookie"}
CODE = Callback("state", Secret("code"))
REVOKED = Right(key_alive=False)


def session(**given: Any) -> Session:
    """Returns the session with other values."""
    return replace(SESSION, **given)


def known(
    right: Right | None = None,
    *,
    announces_iss: bool = False,
    attempt: dict[str, Any] | None = None,
    **given: Any,
) -> Known:
    """Returns what is known of the callback's state."""
    its_attempt = replace(ATTEMPT, **(attempt or {}))
    return Known(its_attempt, session(**given), right or Right(), announces_iss, NOW)
