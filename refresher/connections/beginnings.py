"""When a connection that is handed in is refreshed first, or why it is not."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from refresher.catalogue.entries import DEFAULT_APP
from refresher.rules import guards, lives, policy
from refresher.rules.connection import Status
from refresher.rules.providers import Provider
from refresher.rules.registering import Existing
from refresher.rules.registration import NewConnection
from refresher.runtime.services import Services

if TYPE_CHECKING:
    from refresher.connections.registration import Known

UNKNOWN_EXPIRY_SPREAD_SECONDS = 60.0
"""A token whose end nobody told is refreshed within a minute: the answer tells."""
_NOBODY = Existing(has_access_token=False, has_refresh_token=False, app_name=DEFAULT_APP)


def life(
    new: NewConnection, provider: Provider, now: datetime
) -> tuple[float | None, float | None]:
    """Returns what is left of the access token and its whole life, each None when unknown.

    Without an access token nothing is left that could end, whatever else was told.
    """
    if new.access_token is None:
        return None, None
    left = new.expires_in_seconds
    if new.expires_at is not None:
        left = (new.expires_at - now).total_seconds()
    if new.restored and new.restored.lifetime_seconds is not None:
        return left, new.restored.lifetime_seconds
    of_itself = lives.in_jwt(new.access_token, now.timestamp())
    if of_itself is not None:
        left = of_itself if left is None else min(left, of_itself)
    documented = provider.access_token_lifetime_seconds
    return left, max(left or 0.0, documented or 0.0) or None


def schedule(
    services: Services,
    provider: Provider,
    new: NewConnection,
    left: float | None,
    life: float | None,
    known: Known,
) -> tuple[float | None, str | None]:
    """Returns in how many seconds it is due; or None, and why it is parked."""
    told = left is not None or life is not None or new.access_token is None
    verdict = guards.check(
        _as_stored(new, known, has_expiry=told),
        provider,
        stop_when_expired=services.policy.expired_tokens == "stop",
        expired=left is not None and left <= 0,
    )
    match verdict:
        case guards.Skip(reason):
            return None, reason
        case guards.Proceed():
            if new.restored and new.restored.parked:
                return None, new.restored.parked
    spread = policy.stable_spread(new.id, 1)
    if left is None:
        # Without an access token 0 says no life, but that it is wanted at once.
        at_once = new.access_token is None and new.expires_in_seconds == 0
        return 0.0 if at_once else spread * UNKNOWN_EXPIRY_SPREAD_SECONDS, None
    end = new.refresh_token_expires_in_seconds
    due = policy.due_in(services.policy, provider, life or 0.0, left, spread, end)
    # What moves in overdue is many at once.
    return due or (spread * UNKNOWN_EXPIRY_SPREAD_SECONDS if new.restored else 0.0), None


def _as_stored(new: NewConnection, known: Known, *, has_expiry: bool) -> guards.Outline:
    """Returns what the guard will see: which tokens there are matters, not what they say."""
    before = known.before.get(new.id, _NOBODY)
    return guards.Outline(
        access_token=new.access_token or before.has_access_token or None,
        refresh_token=new.refresh_token or before.has_refresh_token or None,
        expires_at=has_expiry or None,
        app=(new.provider, new.app or before.app_name) in known.apps or None,
        in_between_steps=bool(new.in_between_steps),
        status=new.restored.status if new.restored else Status.ACTIVE,
        disabled=new.restored is not None and new.restored.disabled_at is not None,
        paused=new.restored is not None and new.restored.paused_at is not None,
    )
