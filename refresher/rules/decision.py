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
from refresher.rules.new_life import Before, NewLife, new_life
from refresher.rules.outcomes import (
    DEAD_GRANT,
    Malformed,
    Misconfigured,
    Outcome,
    Prolonged,
    RateLimited,
    Refreshed,
    Reply,
    Revoked,
    Transient,
    Unreadable,
)
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider, Rotation, Strategy

__all__ = ["Before", "Decision", "NewLife", "decide", "may_be_spent", "new_life"]
ANSWER_LOST = frozenset({502, 504})
"""A gateway's word that the provider's own answer did not come through."""
EXPIRED_ALREADY = "the access token that came has expired already"
PROLONGED = "the provider prolonged the stored token"
ASK_AGAIN_SECONDS = 5.0
"""How soon a dead grant is asked once more, where that costs nothing."""


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
    decision = _decided(outcome, reply, before, provider, policy)
    return _paced(decision, reply, provider) if provider.refresh_interval_seconds else decision


def _paced(decision: Decision, reply: Reply, provider: Provider) -> Decision:
    """Returns the decision, with the next request no nearer to this one than the provider takes it."""
    due = decision.next_due_in_seconds
    soonest = provider.refresh_interval_seconds - reply.elapsed_seconds
    if due is None or due >= soonest or not reply.sent:
        return decision
    return replace(decision, next_due_in_seconds=soonest)


def _decided(
    outcome: Outcome, reply: Reply, before: Before, provider: Provider, policy: Policy
) -> Decision:
    match outcome:
        case Refreshed(grant) | Prolonged(grant):
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
    | refresh token, plug-in | always, sometimes | perhaps: it is not presented again |
    | refresh token, plug-in | never | no |
    | what is minted, long-lived exchange | any | no: minted anew, or the old one lives on |
    """
    spends = provider.strategy in {Strategy.REFRESH_TOKEN, Strategy.PLUGIN}
    return spends and provider.rotation is not Rotation.NEVER


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
    reason = PROLONGED if provider.prolongs and not grant.access_token else None
    return Decision("refreshed", due, 0, 0, reason, new_life=life)


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
    lost = before.unknown_outcomes and not is_good_until_used(provider)
    cause = "interrupted" if lost else code
    reason = cause if lost else words or code
    return Decision(
        "revoked", None, before.attempt, before.unknown_outcomes, reason,
        cause=cause if words else None, detail=words,
    )  # fmt: skip


def _asks_again(code: str, before: Before, provider: Provider) -> bool:
    """Whether a grant that is said to be dead is asked a second time before it ends.

    Some providers say so now and then of a grant that lives. The same refresh token can be presented
    again where it stays good after use: where none is ever rotated, or the old one is not ended. Where
    it is spent by its use, the second answer would prove nothing. What is minted spends nothing, and
    a new assertion may be good where the last one was not (a clock that goes wrong).
    """
    kept = is_good_until_used(provider)
    graced = kept or provider.reuse_grace_seconds > ASK_AGAIN_SECONDS
    spoken = code.partition(":")[0] in DEAD_GRANT
    stays_good = provider.strategy is Strategy.REFRESH_TOKEN and (
        graced or provider.rotation is Rotation.NEVER
    )
    return (
        spoken
        and (stays_good or provider.is_minted)
        and not (before.doubted or (before.unknown_outcomes and not kept))
    )


def is_good_until_used(provider: Provider) -> bool:
    """Whether a refresh token stays good, however long, until what came for it is used.

    Then one whose answer never came cannot have been spent by that.
    """
    return provider.reuse_grace_ends != "time" and not provider.reuse_grace_seconds


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
    if unknown and provider.retry == "never" and (lost or reply.status in ANSWER_LOST):
        again = replace(again, next_due_in_seconds=None, park_reason=ParkReason.LOST_ANSWER)
        return replace(again, fault=Fault(Sort.SILENT, outcome.reason))
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
