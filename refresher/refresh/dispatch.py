"""From due rows to claims handed over.

The row is the truth, a message only a hint: after the claim's commit the messages leave; if they
cannot, the claim is released; if this process dies in between, the sweep (`recovery.py`) finds the
rows. Any number of schedulers may do this at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from time import monotonic

from refresher.errors import RedisUnavailable
from refresher.rules.connection import Claim
from refresher.runtime import checkpoints
from refresher.runtime.services import Services
from refresher.store import leases, schedule
from refresher.store.session import Db

Enqueue = Callable[[Sequence[Sequence[Claim]]], None]
"""Sends one message for each group of claims; raises `RedisUnavailable` when it cannot."""

GATHER_SECONDS = 0.05
"""How soon to look again after all that was due was handed over.

What falls due in between goes together. Looking again at once would hand over a row or two at a time,
and a message costs a worker the same for one row as for many: at some hundred a second it falls behind.
"""
WORKED_OFF_PER_SECOND = 20_000
"""More than any workers manage: with as much in flight as may be, they do not run dry before the time
that it takes at this rate. Looking sooner would count thousands of rows to hand over a few."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a tick did; `again_in_seconds` is when the next one is worth while."""

    claimed: int
    again_in_seconds: float


def dispatch_due(services: Services, enqueue: Enqueue) -> Dispatched:
    """Claims due rows and hands them over, until nothing is due or enough is in flight."""
    settings, total = services.settings, 0
    with services.database.reading() as db:
        # Once a tick: what workers finish meanwhile would be claimed again a handful at a time.
        leased = leases.leased_count(db, at_most=settings.max_leased)
    while not services.stopping.is_set():
        limit = min(settings.claim_limit, settings.max_leased - leased)
        if limit <= 0:
            soon = seconds_until_room(settings.max_leased)
            return Dispatched(total, min(settings.tick_seconds, soon))
        with services.database.transaction() as db:
            since, began = services.claim_window.since(), monotonic()
            claims = _claim(services, db, limit, since)
            took_seconds = monotonic() - began
            now, later = _paced(services, db, claims, leased)
            if later:
                schedule.postpone(db, later)
            wait = None if claims else schedule.next_due_in_seconds(db, since=since)
        services.claim_window.claimed(since, claims, took_seconds=took_seconds)
        if not claims:
            soon = settings.tick_seconds if wait is None else wait
            return Dispatched(total, min(settings.tick_seconds, soon))
        checkpoints.reach("claimed")
        hand_over(services, now, enqueue)
        checkpoints.reach("handed_over")
        handed_over = sum(len(rows) for rows in now)
        services.meter.claimed(handed_over)
        total, leased = total + handed_over, leased + handed_over
        if later or len(claims) < limit:
            return Dispatched(total, GATHER_SECONDS)
    return Dispatched(total, settings.tick_seconds)


def seconds_until_room(max_leased: int) -> float:
    """Returns when to look again after as much as may be in flight was handed over."""
    return max(GATHER_SECONDS, max_leased / WORKED_OFF_PER_SECOND)


def hand_over(services: Services, by_provider: Sequence[Sequence[Claim]], enqueue: Enqueue) -> None:
    """Sends claims in batches; what cannot be sent is released, and the error goes on.

    A batch has one provider's claims, so that a provider that hangs holds only its own batches.
    """
    size = services.settings.batch_size
    batches = [rows[i : i + size] for rows in by_provider for i in range(0, len(rows), size)]
    try:
        enqueue(batches)
    except RedisUnavailable:
        with services.database.transaction() as db:
            schedule.release(db, [claim for batch in batches for claim in batch])
        services.claim_window.reopen()
        raise


def _paced(
    services: Services, db: Db, claims: Sequence[Claim], leased_before: int
) -> tuple[list[list[Claim]], list[tuple[Claim, float]]]:
    """Returns the claims that may go, by provider, and those that wait, each with its delay."""
    capacity = services.settings.max_leased * services.settings.provider_share
    crowded = leased_before + len(claims) > capacity
    leased = _in_flight(services, db, {c.provider for c in claims}) if claims and crowded else {}
    now: list[list[Claim]] = []
    later: list[tuple[Claim, float]] = []
    ordered = sorted(claims, key=lambda claim: claim.provider)
    for provider, rows in groupby(ordered, key=lambda claim: claim.provider):
        goes, waits = services.pacer.split(provider, list(rows), leased)
        now += [goes] if goes else []
        later += waits
    return now, later


def _in_flight(services: Services, db: Db, providers: set[str]) -> dict[str, int]:
    """Returns what each provider has in flight; nothing while one has nobody to share with."""
    if services.pacer.is_alone(providers):
        return {}
    leased = leases.leased_by_provider(db)
    services.pacer.saw(leased)
    return leased if len(leased) > 1 else {}


def _claim(services: Services, db: Db, limit: int, since: datetime | None) -> list[Claim]:
    return schedule.claim_due(
        db,
        limit=limit,
        lease_seconds=services.settings.lease_seconds,
        holder_id=services.holder_id,
        since=since,
    )
