"""Decides what is written after a reply: the next due time, the new life, a pause, the end.

Pure. `decide` joins an `Outcome` with what was known before (`Before`) into a `Decision`, which
`store/settlement.py` writes in one transaction. The numbers come from `policy.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from refresher.rules import lives
from refresher.rules import policy as when
from refresher.rules.connection import Grant, ParkReason, Secret, value
from refresher.rules.faults import Fault, Sort
from refresher.rules.outcomes import (
    DEAD_GRANT,
    Malformed,
    Misconfigured,
    Outcome,
    RateLimited,
    Refreshed,
    Reply,
    Revoked,
    Transient,
    Unreadable,
)
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider, Rotation, Strategy

ANSWER_LOST = frozenset({502, 504})
"""A gateway's word that the provider's own answer did not come through."""
EXPIRED_ALREADY = "the access token that came has expired already"
ASK_AGAIN_SECONDS = 5.0
"""How soon a dead grant is asked once more, where that costs nothing."""


@value
class Before:
    """What was known when the request left; `left_seconds` is the old token's life, now.

    `doubted` tells that the grant was refused the last time, and is asked once more.
    """

    attempt: int
    unknown_outcomes: int
    left_seconds: float
    last_lifetime_seconds: float | None
    now_epoch_seconds: float
    spread: float
    dice: float
    doubted: bool = False


@value
class NewLife:
    """A grant with its lives settled: what is stored of it, in seconds from now.

    A token that `is_over` had expired when it came; `lifetime_seconds` is then what a life here
    usually is. `forgets_end`: the end that is known of the refresh token holds no more.
    """

    grant: Grant
    lifetime_seconds: float
    left_seconds: float
    refresh_token_left_seconds: float | None
    forgets_end: bool = False
    is_over: bool = False


@value
class Decision:
    """What to write. `next_due_in_seconds` is None for a row that is parked with `park_reason`.

    `unknown_outcomes` counts requests that may have spent the refresh token without telling. `reason`
    is why; `cause` is the one word for it where `reason` has the provider's own words as well.
    `fault` is what may be true for others as well: `rules/faults.py` says when. `doubted` has the grant
    asked again.
    """

    event: str
    next_due_in_seconds: float | None
    attempt: int
    unknown_outcomes: int
    reason: str | None = None
    new_life: NewLife | None = None
    rescued_refresh_token: Secret | None = None
    park_reason: ParkReason = ParkReason.RECONNECT_REQUIRED
    cause: str | None = None
    detail: str | None = None
    fault: Fault | None = None
    doubted: bool = False


def decide(
    outcome: Outcome, reply: Reply, before: Before, provider: Provider, policy: Policy
) -> Decision:
    """Returns what follows from `outcome` for this grant. A rate limit counts no attempt."""
    match outcome:
        case Refreshed(grant):
            return _refreshed(grant, reply, before, provider, policy)
        case RateLimited(asked):
            wait = when.after_pause(when.rate_limit_pause(policy, asked), before.dice)
            fault = Fault(Sort.LIMITED, "rate limited", asked)
            return _held("rate_limited", wait, before, "rate limited", before.attempt, fault)
        case Misconfigured(code):
            attempt = before.attempt + 1
            wait = when.after_pause(when.app_pause(policy, attempt), before.dice)
            return _held("misconfigured", wait, before, code, attempt, Fault(Sort.REFUSED, code))
        case Transient():
            return _transient(outcome, reply, before, provider, policy)
        case Malformed() | Unreadable():
            return _unread(outcome, before, provider, policy)
        case Revoked(code, _, detail):
            return _revoked(code, detail, before, provider, policy)
        case _:
            assert_never(outcome)


def may_be_spent(provider: Provider) -> bool:
    """Whether an answer that is not understood may have spent the token that was sent.

    | strategy | rotation | |
    |---|---|---|
    | refresh token | always, sometimes | perhaps: it is not presented again |
    | refresh token | never | no |
    | client credentials, long-lived exchange | any | no: minted anew, or the old one lives on |
    """
    return provider.strategy is Strategy.REFRESH_TOKEN and provider.rotation is not Rotation.NEVER


def new_life(grant: Grant, elapsed_seconds: float, before: Before, provider: Provider) -> NewLife:
    """Returns the grant with its lives settled; the exchange's own time is taken off the token's.

    The shortest life that was told counts; a token that has expired already has nothing left.
    """
    in_token = grant.in_token_seconds
    if in_token is None:
        in_token = lives.in_jwt(grant.access_token, before.now_epoch_seconds)
    last = before.last_lifetime_seconds
    life = when.lifetime(grant.expires_in_seconds, in_token, last, provider)
    usual = life or when.lifetime(None, None, last, provider)
    end = _refresh_token_left(grant, provider)
    forgets = grant.refresh_token_is_endless or (
        end is None
        and grant.refresh_token is not None
        and provider.refresh_token_clock == "sliding"
    )
    return NewLife(grant, usual, max(0.0, life - elapsed_seconds), end, forgets, is_over=not life)


def _refresh_token_left(grant: Grant, provider: Provider) -> float | None:
    """Returns how long the refresh token lives from now, None where this answer tells nothing of it.

    A documented sliding end begins anew with a new refresh token; where none ever comes, with each use.
    """
    if grant.refresh_token_is_endless:
        return None
    if grant.refresh_token_expires_in_seconds is not None:
        return grant.refresh_token_expires_in_seconds
    if provider.refresh_token_clock != "sliding":
        return None
    begins_anew = grant.refresh_token is not None or provider.rotation is Rotation.NEVER
    return provider.refresh_token_lifetime_seconds if begins_anew else None


def _refreshed(
    grant: Grant, reply: Reply, before: Before, provider: Provider, policy: Policy
) -> Decision:
    life = new_life(grant, reply.elapsed_seconds, before, provider)
    if life.is_over:
        again = lives.ask_again_in(policy, before.attempt + 1, before.dice)
        return Decision(
            "refreshed", again, before.attempt + 1, 0, reason=EXPIRED_ALREADY, new_life=life
        )
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


def _unread(
    outcome: Malformed | Unreadable, before: Before, provider: Provider, policy: Policy
) -> Decision:
    reason = outcome.reason
    if isinstance(outcome, Malformed):
        kept = outcome.refresh_token
        again = _again("malformed", reason, before, policy, unknown=True)
        unknown = 0 if kept else again.unknown_outcomes
        return replace(again, unknown_outcomes=unknown, rescued_refresh_token=kept)
    if may_be_spent(provider):
        return Decision(
            "unreadable", None, before.attempt + 1, before.unknown_outcomes + 1, reason,
            park_reason=ParkReason.UNREAD_ANSWER,
        )  # fmt: skip
    return _again("unreadable", reason, before, policy, unknown=False)


def _revoked(
    code: str, detail: str | None, before: Before, provider: Provider, policy: Policy
) -> Decision:
    if _asks_again(code, before, provider):
        again = _again("transient", f"refused once: {code}", before, policy, unknown=False)
        return replace(again, next_due_in_seconds=ASK_AGAIN_SECONDS, doubted=True)
    words = f"{code}: {detail}" if detail else None
    cause = "interrupted" if before.unknown_outcomes else code
    reason = cause if before.unknown_outcomes else words or code
    return Decision(
        "revoked", None, before.attempt, before.unknown_outcomes, reason,
        cause=cause if words else None, detail=words,
    )  # fmt: skip


def _asks_again(code: str, before: Before, provider: Provider) -> bool:
    """Whether a grant that is said to be dead is asked a second time before it ends.

    Some providers say so now and then of a grant that lives. The same refresh token can be presented
    again where it stays good after use: where none is ever rotated, or the old one is not ended. Where
    it is spent by its use, the second answer would prove nothing.
    """
    stays_good = provider.rotation is Rotation.NEVER or (
        provider.reuse_grace_seconds > ASK_AGAIN_SECONDS
    )
    spoken = code.partition(":")[0] in DEAD_GRANT
    return (
        spoken
        and stays_good
        and provider.strategy is Strategy.REFRESH_TOKEN
        and not (before.doubted or before.unknown_outcomes)
    )


def _transient(
    outcome: Transient, reply: Reply, before: Before, provider: Provider, policy: Policy
) -> Decision:
    if not outcome.counts:
        return Decision("unsent", 1.0, before.attempt, before.unknown_outcomes, outcome.reason)
    lost = reply.status is None or reply.failure is not None
    failed = not outcome.refused and (reply.status or 0) >= 500
    unknown = reply.sent and (lost or failed)
    again = _again("transient", outcome.reason, before, policy, unknown=unknown)
    if reply.sent and (lost or (failed and reply.status in ANSWER_LOST)):
        soonest = when.replay_in(before.unknown_outcomes, provider.replay_after_seconds)
        wait = again.next_due_in_seconds or 0.0
        wait = max(min(wait, soonest), provider.replay_after_seconds)
        again = replace(again, next_due_in_seconds=wait)
    asked = outcome.retry_after_seconds
    if asked:
        due = max(again.next_due_in_seconds or 0.0, when.after_pause(asked, before.dice))
        fault = Fault(Sort.LIMITED, outcome.reason, asked)
        return replace(again, next_due_in_seconds=due, fault=fault)
    if not lost and not failed:
        return again  # an answer, whatever it says: nobody else need fear for his
    return replace(again, fault=Fault(Sort.SILENT, outcome.reason))


def _again(event: str, reason: str, before: Before, policy: Policy, *, unknown: bool) -> Decision:
    attempt = before.attempt + 1
    wait = when.retry_in(policy, attempt, before.left_seconds, before.dice)
    return Decision(event, wait, attempt, before.unknown_outcomes + unknown, reason)


def _held(
    event: str, wait: float, before: Before, reason: str, attempt: int, fault: Fault
) -> Decision:
    return Decision(event, wait, attempt, before.unknown_outcomes, reason, fault=fault)
