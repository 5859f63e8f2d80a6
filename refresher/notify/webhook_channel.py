"""Webhooks as a channel of the delivery engine: signed, in order, and what an answer means for all.

    plan     one message for each event and endpoint that wants it
    claim    in order, and by turns of the organizations; `store/deliveries.py`
    send     signed anew for each attempt, for the instant is part of it; `rules/webhooks.py`
    settle   what came of each, and what that means for its endpoint; `store/delivery_results.py`

A message that goes again has the same `webhook-id`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

import structlog

from refresher.errors import CannotDecrypt
from refresher.notify.delivery import BATCH, Channel
from refresher.outbound.webhooks import Message
from refresher.rules import webhooks
from refresher.rules.connection import Reply
from refresher.rules.delivery import (
    GONE_REASON,
    Delivered,
    DeliveryPolicy,
    EndpointHealth,
    Failed,
    Gone,
    Result,
    observe,
    retry_in,
    understand,
)
from refresher.rules.notices import Kind
from refresher.rules.policy import stable_spread
from refresher.runtime.services import Services
from refresher.store import deliveries, delivery_results, leases, outbox
from refresher.store import webhooks as endpoints
from refresher.store.deliveries import Begun, Bounds
from refresher.store.delivery_results import IDLE, MessageResult
from refresher.store.leases import Claimed, Lease
from refresher.store.session import Db
from refresher.store.words import DELIVERED, FAILED, HELD

log = structlog.get_logger()
_WORDS = {IDLE: "again", HELD: "held", DELIVERED: "delivered", FAILED: "given_up"}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one message, before it is written; one that goes no more is not due again."""

    message: Begun
    result: Result
    again_in_seconds: float | None
    elapsed_seconds: float


def _plan(_services: Services, db: Db) -> int:
    """One process at a time: a later event of a connection is not planned before the earlier one."""
    if not deliveries.planning(db):
        return 0
    entries = outbox.take(db, "webhook", limit=BATCH)
    deliveries.plan(db, entries)
    return len(entries)


def _claim(services: Services, db: Db) -> Claimed:
    settings = services.settings
    bounds = Bounds(
        window=settings.claim_limit,
        in_flight=settings.webhook_max_in_flight,
        concurrency=settings.webhook_concurrency,
        organization_concurrency=settings.webhook_organization_concurrency,
        breaker_failures=settings.webhook_breaker_failures,
    )
    seconds = settings.webhook_lease_seconds
    return deliveries.claim(db, bounds, lease_seconds=seconds, holder_id=services.holder_id)


def _begin(services: Services, db: Db, held: Sequence[Lease]) -> tuple[list[Begun], Counter[str]]:
    begun = deliveries.begin(db, held, holder_id=services.holder_id)
    if len(begun) < len(held):
        leases.release(db, "webhook_delivery", held)  # its endpoint was disabled since the claim
    return begun, Counter(stale=len(held) - len(begun))


def _send(services: Services, begun: Sequence[Begun]) -> Iterator[list[tuple[Begun, Reply]]]:
    """Opens the secrets, signs and sends; a message whose secret no key opens fails by itself."""
    messages: list[Message[Begun]] = []
    unopened: list[tuple[Begun, Reply]] = []
    for each in begun:
        try:
            messages.append(_message(services, each))
        except CannotDecrypt as error:
            unopened.append((each, Reply(failure=f"not sent: {error}")))
    if unopened:
        yield unopened
    yield from services.webhook_sender.stream(messages)


def _message(services: Services, begun: Begun) -> Message[Begun]:
    sealed = [(begun.secret, endpoints.SECRET), (begun.previous_secret, endpoints.PREVIOUS_SECRET)]
    secrets = [
        services.cipher.open(secret, begun.endpoint_id, column)
        for secret, column in sealed
        if secret is not None
    ]
    body = webhooks.body(begun.kind, begun.occurred_at, begun.payload)
    sent_at = int(begun.begun_at.timestamp())
    headers = webhooks.headers(str(begun.event_id), sent_at, body, secrets)
    return Message(begun, begun.url, headers, body)


def _settle(services: Services, db: Db, answers: Sequence[tuple[Begun, Reply]]) -> Counter[str]:
    """The endpoints are locked first. Whose lease is another's by now changes nothing."""
    by_endpoint: dict[UUID, list[_Outcome]] = {}
    before = delivery_results.lock_endpoints(db, [m.endpoint_id for m, _ in answers])
    ours = delivery_results.still_ours(db, [m.lease for m, _ in answers])
    for message, reply in answers:
        if message.id in ours and message.endpoint_id in before:
            one = _understood(services.delivery_policy, message, reply, ours[message.id])
            by_endpoint.setdefault(message.endpoint_id, []).append(one)
    settled: list[MessageResult] = []
    for endpoint_id, group in sorted(by_endpoint.items()):
        settled += _settle_endpoint(services, db, endpoint_id, before[endpoint_id], group)
    delivery_results.write(db, settled)
    tally = Counter(_WORDS[each.state] for each in settled)
    return tally + Counter(stale=len(answers) - len(settled))


def _understood(
    policy: DeliveryPolicy, message: Begun, reply: Reply, age_seconds: float
) -> _Outcome:
    outcome = understand(reply, message.begun_at.timestamp())
    again_in = gave_up_after = None
    if isinstance(outcome, Failed):
        attempt, since = message.attempt + 1, message.since_first_seconds
        spread = stable_spread(message.event_id, attempt)
        again_in = retry_in(policy, attempt, since, spread, outcome.wait_seconds)
        gave_up_after = since if again_in is None else None
    result = Result(outcome, age_seconds, gave_up_after)
    return _Outcome(message, result, again_in, reply.elapsed_seconds)


def _settle_endpoint(
    services: Services, db: Db, endpoint_id: UUID, before: EndpointHealth, group: Sequence[_Outcome]
) -> list[MessageResult]:
    after = before
    for one in group:
        after = observe(services.delivery_policy, after, one.result)
    took = [one.elapsed_seconds for one in group if isinstance(one.result.outcome, Delivered)]
    delivery_results.note_health(db, endpoint_id, after, max(took, default=None))
    if after.disabled and not before.disabled:
        _tell_disabled(db, endpoint_id, after.disabled)
        delivery_results.hold(db, endpoint_id)
    elif before.is_held_up and not after.is_held_up:
        delivery_results.wake(db, endpoint_id)
    return [_settled(one, disabled=after.disabled is not None) for one in group]


def _settled(one: _Outcome, *, disabled: bool) -> MessageResult:
    lease, took = one.message.lease, one.elapsed_seconds
    match one.result.outcome:
        case Delivered(status, note):
            return MessageResult(lease, DELIVERED, None, status, note, took)
        case Gone():
            return MessageResult(lease, HELD, None, 410, GONE_REASON, took)
        case Failed(reason, status):
            again_in = one.again_in_seconds
            state = HELD if disabled else FAILED if again_in is None else IDLE
            return MessageResult(lease, state, again_in, status, reason, took)
        case never:
            assert_never(never)


def _tell_disabled(db: Db, endpoint_id: UUID, reason: str) -> None:
    """Tells operators, in the transaction that disables it."""
    log.error("webhook endpoint disabled", endpoint=str(endpoint_id), reason=reason)
    outbox.append(
        db, [outbox.News(("webhook", str(endpoint_id)), Kind.WEBHOOK_DISABLED, {"cause": reason})]
    )


def _sweep(services: Services, db: Db) -> Sequence[bool]:
    return delivery_results.sweep(
        db,
        first_seconds=services.delivery_policy.retry_first_seconds,
        lease_seconds=services.settings.webhook_lease_seconds,
    )


def _tidy(services: Services, db: Db) -> None:
    delivery_results.forget_delivered(db, days=services.settings.webhook_keep_days)
    endpoints.forget_previous_secrets(db)


WEBHOOKS = Channel(
    name="webhooks",
    flow="webhook_delivery",
    table="webhook_delivery",
    points=("webhook_claimed", "webhook_begun", "webhook_answered"),
    plan=_plan,
    claim=_claim,
    begin=_begin,
    send=_send,
    settle=_settle,
    sweep=_sweep,
    tidy=_tidy,
)
