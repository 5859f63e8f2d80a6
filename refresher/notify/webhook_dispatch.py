"""From outbox entries to webhook messages, and from due messages to hints handed over.

The row is the truth, a hint in a queue only wakes somebody: what is lost on the way, the sweep finds.
Any number of schedulers may do this at once. What follows: `webhook_channel.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from refresher.errors import RedisUnavailable
from refresher.runtime.services import Services
from refresher.store import deliveries, delivery_claims, delivery_outcomes, outbox, webhooks
from refresher.store.deliveries import DeliveryClaim, Planned
from refresher.store.delivery_claims import Claimed
from refresher.store.session import Db

log = structlog.get_logger()
CONSUMER = "webhook"
PLANNED_AT_ONCE = 500
MOST_PLANS = 20
SOONEST_SECONDS = 0.05
"""How soon to look again when there may be more to claim."""
BATCH = 50
Enqueue = Callable[[Sequence[Sequence[DeliveryClaim]]], None]
"""Sends one hint for each batch of claims; raises `RedisUnavailable` when it cannot."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did; `again_in_seconds` is when the next one is worth while."""

    planned: int
    claimed: int
    again_in_seconds: float


def dispatch_due(services: Services, enqueue: Enqueue) -> Ticked:
    """Plans what is new, claims what is due, and hands it over."""
    settings = services.settings
    planned = plan(services)
    with services.database.transaction() as db:
        room = settings.webhook_max_in_flight - delivery_claims.leased_count(db)
        claimed = _claim(services, db, room) if room > 0 else Claimed((), 0)
        wait = None if claimed.looked_at else delivery_claims.next_due_in_seconds(db)
    if claimed.groups:
        _hand_over(services, claimed, enqueue)
    if claimed.looked_at or room <= 0:
        wait = SOONEST_SECONDS
    tick = settings.tick_seconds
    again = tick if wait is None else min(tick, max(wait, 0.0))
    return Ticked(planned, len(claimed.all), again)


def plan(services: Services) -> int:
    """Makes messages of outbox entries that are new; returns how many. One process at a time."""
    total = 0
    with services.database.transaction() as db:
        if not deliveries.planning(db):
            return 0
        for _ in range(MOST_PLANS):
            entries = outbox.take(db, CONSUMER, limit=PLANNED_AT_ONCE)
            total += deliveries.plan(db, [_planned(entry) for entry in entries])
            if len(entries) < PLANNED_AT_ONCE:
                break
    return total


def _planned(entry: outbox.Entry) -> Planned:
    subject = str(entry.connection_id or entry.app_key or entry.payload.get("webhook_id"))
    return Planned(entry.id, entry.organization_id, entry.kind, subject, entry.sequence)


def _claim(services: Services, db: Db, room: int) -> Claimed:
    settings = services.settings
    limits = delivery_claims.Limits(
        window=settings.claim_limit,
        most=min(room, settings.claim_limit),
        concurrency=settings.webhook_concurrency,
        organization_concurrency=settings.webhook_organization_concurrency,
        breaker_failures=settings.webhook_breaker_failures,
    )
    return delivery_claims.claim_due(
        db, limits, lease_seconds=settings.webhook_lease_seconds, holder_id=services.holder_id
    )


def _hand_over(services: Services, claimed: Claimed, enqueue: Enqueue) -> None:
    groups, size = claimed.groups, BATCH
    try:
        enqueue([g[i : i + size] for g in groups for i in range(0, len(g), size)])
    except RedisUnavailable:
        with services.database.transaction() as db:
            deliveries.release(db, claimed.all)
        raise


def sweep_stalled(services: Services) -> int:
    """Makes messages due again whose process died, or whose lease ended, without an outcome."""
    with services.database.transaction() as db:
        unbegun, unknown = delivery_outcomes.sweep(
            db,
            first_seconds=services.delivery_policy.retry_first_seconds,
            lease_seconds=services.settings.webhook_lease_seconds,
        )
    if unbegun or unknown:
        log.warning("swept webhooks", unbegun=unbegun, unknown=unknown)
    return unbegun + unknown


def messages_lost(services: Services) -> None:
    """Makes messages due that were handed over and not begun: Redis lost its data."""
    with services.database.transaction() as db:
        deliveries.release_unbegun(db)


def tidy(services: Services) -> None:
    """Forgets messages that arrived long ago, and secrets that sign no more."""
    with services.database.transaction() as db:
        delivery_outcomes.forget_delivered(db, days=services.settings.webhook_keep_days)
        webhooks.forget_previous_secrets(db)
