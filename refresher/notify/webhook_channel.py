"""The story of one webhook message: begin, sign, send, understand, mark.

    begin     marked before it leaves: from here on it may have arrived
    sign      anew for each attempt, for the instant is part of it; `rules/webhooks.py`
    send      `endpoints.py`
    mark      what came of it, and what that means for the endpoint; `store/delivery_outcomes.py`

At least once: between send and mark a process may die, and then the message goes again, with the same
`webhook-id`. When a message is claimed, and in which order: `webhook_dispatch.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import assert_never
from uuid import UUID

import structlog

from refresher.errors import CannotDecrypt, DatabaseUnavailable
from refresher.outbound.webhooks import Message
from refresher.rules import webhooks
from refresher.rules.delivery import (
    GONE_REASON,
    Answer,
    Delivered,
    DeliveryPolicy,
    Failed,
    Gone,
    Health,
    Outcome,
    Result,
    observe,
    retry_in,
    understand,
)
from refresher.rules.notices import Kind
from refresher.rules.policy import stable_spread
from refresher.runtime import checkpoints
from refresher.runtime.services import Services
from refresher.store import deliveries, delivery_outcomes, outbox
from refresher.store import webhooks as endpoints
from refresher.store.deliveries import Begun, DeliveryClaim
from refresher.store.delivery_outcomes import IDLE, Written
from refresher.store.session import Db, retrying
from refresher.store.tables.webhooks import DELIVERED, FAILED, HELD

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one message, before it is written."""

    message: Begun
    outcome: Outcome
    elapsed_seconds: float


def take(services: Services, claims: Sequence[DeliveryClaim]) -> None:
    """Hands claimed messages to a thread that waits for their answers; returns at once.

    An endpoint that hangs must not hold a thread that refreshes tokens. Should this process end, the
    sweep finds what it had taken.
    """
    try:
        services.deliverers.submit(_deliver_and_tell, services, claims)
    except RuntimeError:  # stopping: it takes no more
        with services.database.transaction() as db:
            deliveries.release(db, claims)


def _deliver_and_tell(services: Services, claims: Sequence[DeliveryClaim]) -> None:
    try:
        tally = deliver(services, claims)
    except DatabaseUnavailable as error:
        services.seldom.warning("left to the sweep: postgres is away", "webhooks", why=str(error))
    except Exception:
        # The outermost frame of a thread: a bug is told, and the sweep makes its rows due again.
        log.exception("webhooks failed")
    else:
        log.info("webhooks done", **{kind: n for kind, n in tally.items() if n})


def deliver(services: Services, claims: Sequence[DeliveryClaim]) -> Counter[str]:
    """Sends the claimed messages; returns how many ended in which way.

    A claim that is no longer held, or was begun already, is a counted no-op.
    """
    tally: Counter[str] = Counter()
    begun = _begin(services, claims, tally)
    checkpoints.reach("webhook_begun")
    for answers in services.webhook_sender.stream(_signed(services, begun, tally)):
        checkpoints.reach("webhook_answered")
        _mark(services, [_understood(message, answer) for message, answer in answers], tally)
    return tally


def _begin(services: Services, claims: Sequence[DeliveryClaim], tally: Counter[str]) -> list[Begun]:
    with services.database.transaction() as db:
        begun = deliveries.begin(db, claims, holder_id=services.holder_id)
        if len(begun) < len(claims):
            deliveries.release(db, claims)  # its endpoint was disabled since the claim
    tally["stale"] += len(claims) - len(begun)
    return begun


def _signed(
    services: Services, begun: Iterable[Begun], tally: Counter[str]
) -> list[Message[Begun]]:
    """Opens the secrets and signs; a message whose secret no key opens fails by itself."""
    messages: list[Message[Begun]] = []
    unopened: list[_Outcome] = []
    for message in begun:
        try:
            messages.append(_message(services, message))
        except CannotDecrypt as error:
            unopened.append(_Outcome(message, Failed(f"not sent: {error}"), 0.0))
    _mark(services, unopened, tally)
    return messages


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


def _understood(message: Begun, answer: Answer) -> _Outcome:
    outcome = understand(answer, message.begun_at.timestamp())
    return _Outcome(message, outcome, answer.elapsed_seconds)


def _mark(services: Services, outcomes: Sequence[_Outcome], tally: Counter[str]) -> None:
    """One transaction. If it fails, the lease ends and the messages go again: at least once."""
    if not outcomes:
        return

    def write() -> Counter[str]:
        with services.database.transaction() as db:
            return _write(services, db, outcomes)

    tally += retrying(write)


def _write(services: Services, db: Db, outcomes: Sequence[_Outcome]) -> Counter[str]:
    by_endpoint: dict[UUID, list[_Outcome]] = {}
    before = delivery_outcomes.lock_endpoints(db, [o.message.endpoint_id for o in outcomes])
    ours = delivery_outcomes.still_ours(db, [o.message.claim for o in outcomes])
    for o in outcomes:
        if o.message.id in ours and o.message.endpoint_id in before:
            by_endpoint.setdefault(o.message.endpoint_id, []).append(o)
    written: list[Written] = []
    for endpoint_id, group in sorted(by_endpoint.items()):
        written += _write_endpoint(services, db, endpoint_id, before[endpoint_id], group, ours)
    delivery_outcomes.write(db, written)
    return Counter(_word(w.state) for w in written) + Counter(stale=len(outcomes) - len(written))


def _write_endpoint(
    services: Services,
    db: Db,
    endpoint_id: UUID,
    before: Health,
    group: Sequence[_Outcome],
    ages: dict[int, float],
) -> list[Written]:
    policy = services.delivery_policy
    results = [_result(policy, o, ages[o.message.id]) for o in group]
    after = reduce(lambda health, result: observe(policy, health, result), results, before)
    took = [o.elapsed_seconds for o in group if isinstance(o.outcome, Delivered)]
    delivery_outcomes.note_health(
        db, endpoint_id, after, delivered_in_seconds=max(took) if took else None
    )
    if after.disabled and not before.disabled:
        _tell_disabled(db, endpoint_id, after.disabled)
        delivery_outcomes.hold(db, endpoint_id)
    elif before.is_held_up and not after.is_held_up:
        delivery_outcomes.wake(db, endpoint_id)
    return [_written(policy, o, disabled=after.disabled is not None) for o in group]


def _result(policy: DeliveryPolicy, o: _Outcome, age_seconds: float) -> Result:
    gave_up = isinstance(o.outcome, Failed) and _again_in(policy, o) is None
    return Result(o.outcome, age_seconds, o.message.since_first_seconds if gave_up else None)


def _again_in(policy: DeliveryPolicy, o: _Outcome) -> float | None:
    """Returns when a failed message goes again; None where its day is over."""
    assert isinstance(o.outcome, Failed)
    attempt = o.message.attempt + 1
    spread = stable_spread(o.message.event_id, attempt)
    asked = o.outcome.wait_seconds
    return retry_in(policy, attempt, o.message.since_first_seconds, spread, asked)


def _written(policy: DeliveryPolicy, o: _Outcome, *, disabled: bool) -> Written:
    claim, took = o.message.claim, o.elapsed_seconds
    match o.outcome:
        case Delivered(status, note):
            return Written(claim, DELIVERED, None, status, note, took)
        case Gone():
            return Written(claim, HELD, None, 410, GONE_REASON, took)
        case Failed(reason, status):
            again_in = _again_in(policy, o)
            state = HELD if disabled else FAILED if again_in is None else IDLE
            return Written(claim, state, again_in, status, reason, took)
        case _:
            assert_never(o.outcome)


def _tell_disabled(db: Db, endpoint_id: UUID, reason: str) -> None:
    """Tells operators, in the transaction that disables it."""
    log.error("webhook endpoint disabled", endpoint=str(endpoint_id), reason=reason)
    outbox.append(
        db, [outbox.News(("webhook", str(endpoint_id)), Kind.WEBHOOK_DISABLED, {"cause": reason})]
    )


def _word(state: int) -> str:
    return {IDLE: "again", HELD: "held", DELIVERED: "delivered", FAILED: "given_up"}[state]
