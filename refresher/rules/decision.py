"""Decides what is written after a reply: the next due time, the new life, a pause, the end.

Pure. `decide` joins an `Outcome` with what was known before (`Before`) into a `Decision`, which
`store/settlement.py` writes in one transaction. The numbers come from `policy.py`.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, replace
from typing import assert_never

from refresher.rules import policy as when
from refresher.rules.answers import lifetime_seconds
from refresher.rules.connection import Grant, Secret
from refresher.rules.outcomes import (
    Malformed,
    Misconfigured,
    Outcome,
    RateLimited,
    Refreshed,
    Reply,
    Revoked,
    Transient,
)
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider
from refresher.values import value

ANSWER_LOST = frozenset({502, 504})
"""A gateway's word that the provider's own answer did not come through."""


@value
class Before:
    """What was known when the request left; `left_seconds` is the old token's life, now."""

    attempt: int
    unknown_outcomes: int
    left_seconds: float
    last_lifetime_seconds: float | None
    app_refusals: int
    now_epoch_seconds: float
    spread: float
    dice: float


@value
class NewLife:
    """A grant with its lives settled: what is stored of it, in seconds from now."""

    grant: Grant
    lifetime_seconds: float
    left_seconds: float
    refresh_token_left_seconds: float | None


@dataclass(frozen=True, slots=True)
class PauseOrder:
    """Leave the whole provider, or the whole app, alone for a while."""

    scope: str
    seconds: float
    refusals: int
    reason: str


@value
class Decision:
    """What to write. `next_due_in_seconds` is None for a grant that ended.

    `unknown_outcomes` counts requests that may have spent the refresh token without telling.
    """

    event: str
    next_due_in_seconds: float | None
    attempt: int
    unknown_outcomes: int
    reason: str | None = None
    new_life: NewLife | None = None
    rescued_refresh_token: Secret | None = None
    pause: PauseOrder | None = None


def decide(
    outcome: Outcome, reply: Reply, before: Before, provider: Provider, policy: Policy
) -> Decision:
    """Returns what follows from `outcome`. A rate limit, or an app's fault, counts no attempt."""
    match outcome:
        case Refreshed(grant):
            return _refreshed(grant, reply, before, provider, policy)
        case RateLimited(asked):
            pause = when.rate_limit_pause(policy, asked)
            order = PauseOrder("provider", pause, 0, "rate_limited")
            return _paused("rate_limited", order, before, "rate limited")
        case Misconfigured(code):
            refusals = before.app_refusals + 1
            order = PauseOrder("app", when.app_pause(policy, refusals), refusals, code)
            return _paused("misconfigured", order, before, code)
        case Transient():
            return _transient(outcome, reply, before, policy)
        case Malformed(reason, _, kept):
            again = _again("malformed", reason, before, policy, unknown=True)
            unknown = 0 if kept else again.unknown_outcomes
            return replace(again, unknown_outcomes=unknown, rescued_refresh_token=kept)
        case Revoked(code):
            cause = "interrupted" if before.unknown_outcomes else code
            return Decision("revoked", None, before.attempt, before.unknown_outcomes, cause)
        case _:
            assert_never(outcome)


def new_life(grant: Grant, elapsed_seconds: float, before: Before, provider: Provider) -> NewLife:
    """Returns the grant with its lives settled; the exchange's own time is taken off the token's.

    An idle clock starts again with each use, whether or not the answer brought a new refresh token.
    """
    in_token = life_in_jwt(grant.access_token, before.now_epoch_seconds)
    life = when.lifetime(grant.expires_in_seconds, in_token, before.last_lifetime_seconds, provider)
    end = grant.refresh_token_expires_in_seconds
    if end is None and provider.refresh_token_clock == "sliding":
        end = provider.refresh_token_lifetime_seconds
    return NewLife(grant, life, max(0.0, life - elapsed_seconds), end)


def life_in_jwt(token: Secret, now_epoch_seconds: float) -> float | None:
    """Returns the life that a JWT's `exp` claim tells (RFC 7519 section 4.1.4), unverified."""
    parts = token.reveal().split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return lifetime_seconds(float(payload["exp"]) - now_epoch_seconds)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _refreshed(
    grant: Grant, reply: Reply, before: Before, provider: Provider, policy: Policy
) -> Decision:
    life = new_life(grant, reply.elapsed_seconds, before, provider)
    due = when.due_in(
        policy,
        provider,
        life.lifetime_seconds,
        life.left_seconds,
        before.spread,
        life.refresh_token_left_seconds,
    )
    due = max(due, min(policy.min_refresh_interval_seconds, life.lifetime_seconds / 2))
    return Decision("refreshed", due, 0, 0, new_life=life)


def _transient(outcome: Transient, reply: Reply, before: Before, policy: Policy) -> Decision:
    if not outcome.counts:
        return Decision("unsent", 1.0, before.attempt, before.unknown_outcomes, outcome.reason)
    unknown = reply.sent and (reply.status is None or reply.status >= 500)
    again = _again("transient", outcome.reason, before, policy, unknown=unknown)
    if reply.sent and (reply.status is None or reply.status in ANSWER_LOST):
        soon = min(again.next_due_in_seconds or 0.0, when.replay_in(before.unknown_outcomes))
        again = replace(again, next_due_in_seconds=soon)
    asked = outcome.retry_after_seconds
    if not asked:
        return again
    due = max(again.next_due_in_seconds or 0.0, when.after_pause(asked, before.dice))
    order = PauseOrder("provider", asked, 0, outcome.reason)
    return replace(again, next_due_in_seconds=due, pause=order)


def _again(event: str, reason: str, before: Before, policy: Policy, *, unknown: bool) -> Decision:
    attempt = before.attempt + 1
    wait = when.retry_in(policy, attempt, before.left_seconds, before.dice)
    return Decision(event, wait, attempt, before.unknown_outcomes + unknown, reason)


def _paused(event: str, order: PauseOrder, before: Before, reason: str) -> Decision:
    due = when.after_pause(order.seconds, before.dice)
    return Decision(event, due, before.attempt, before.unknown_outcomes, reason, pause=order)
