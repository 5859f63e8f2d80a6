"""Tells how a connection and its row stood at a moment, from the events around it.

Pure: events and the rows of now in, a `Moment` or the reason why it cannot be told out. Each event
carries what was true when it was written, so the last one before the moment tells nearly all; the one
with which a lease ended tells since when it had been held. docs/events.md lists what leaves no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from refresher.rules.events import PastEvent

STATES = ("idle", "leased", "parked")


@dataclass(frozen=True, slots=True)
class Moment:
    """Connection and schedule row as they stand or stood; `state` is "none" without a row.

    The four fields of a lease are None while the row is not leased, and so is `due_at` while it is
    parked. `begun_at` is None until the refresh has begun.
    """

    state: str
    due_at: datetime | None
    parked_reason: str | None
    postponed_by: str | None
    attempt: int
    unknown_outcomes: int
    starts: int
    lease_token: int | None
    claimed_at: datetime | None
    lease_until: datetime | None
    begun_at: datetime | None
    credential_version: int
    grant_number: int
    status: str
    status_cause: str | None
    expires_at: datetime | None
    lifetime_seconds: float | None
    refresh_token_expires_at: datetime | None
    paused_at: datetime | None
    disabled_at: datetime | None
    deleted_at: datetime | None
    in_between_steps: bool


@dataclass(frozen=True, slots=True)
class Untold:
    """Why the moment cannot be told: `before_the_first`, `pruned` or `older_version`."""

    why: str


def state_at(
    at: datetime,
    *,
    past: Sequence[PastEvent],
    later: Sequence[PastEvent],
    now: Moment,
    created_at: datetime,
) -> Moment | Untold:
    """Returns how it was at the instant `at`.

    `past` are the newest events until then, and `later` the first events after it, both the oldest
    first; `now` is how it stands. Without any event in between, what stands now stood then.
    """
    if at < created_at:
        return Untold("before_the_first")
    if past and past[-1].stored_version is None:
        return Untold("older_version")
    if past:
        base = _afterwards(past)
    elif later:
        return Untold("pruned")
    else:
        base = _without_lease(now, begun=now.begun_at is not None)
    base = _not_yet(base, at)
    ended = max((e.lease_token or 0 for e in past), default=0)
    lease = _lease_at(at, ended, later, now)
    if lease is None:
        return base
    begun_at = lease.begun_at if lease.begun_at is not None and lease.begun_at <= at else None
    return replace(
        base,
        state="leased",
        lease_token=lease.lease_token,
        claimed_at=lease.claimed_at,
        lease_until=lease.lease_until,
        begun_at=begun_at,
        starts=base.starts + (begun_at is not None),
    )


def _lease_at(
    at: datetime, ended: int, later: Sequence[PastEvent], now: Moment
) -> PastEvent | Moment | None:
    """Returns who tells the lease that was held: the event that ended it later, or the row of now.

    A reply that comes late tells of a lease that had been ended before by another event.
    """
    holders: list[PastEvent | Moment] = [*later, now]
    return next(
        (
            h
            for h in holders
            if h.claimed_at is not None and h.claimed_at <= at and (h.lease_token or 0) > ended
        ),
        None,
    )


def _afterwards(past: Sequence[PastEvent]) -> Moment:
    """Returns what the last event found, without the lease that it may have found."""
    last = past[-1]
    return Moment(
        state="none" if last.state is None else STATES[last.state],
        due_at=last.next_due_at,
        parked_reason=last.parked_reason,
        postponed_by=last.postponed_by,
        attempt=last.failures or 0,
        unknown_outcomes=last.unknown_outcomes or 0,
        starts=last.starts or 0,
        lease_token=None,
        claimed_at=None,
        lease_until=None,
        begun_at=None,
        credential_version=last.stored_version or 0,
        grant_number=last.grant_number or 0,
        status=last.status or "",
        status_cause=last.status_cause,
        expires_at=last.expires_at,
        lifetime_seconds=last.lifetime_seconds,
        refresh_token_expires_at=last.refresh_token_expires_at,
        paused_at=last.paused_at,
        disabled_at=last.disabled_at,
        deleted_at=last.deleted_at,
        in_between_steps=bool(last.in_between_steps),
    )


def _without_lease(now: Moment, *, begun: bool) -> Moment:
    """Returns the row of now as it was before its lease."""
    if now.state != "leased":
        return now
    return replace(
        now,
        state="idle",
        lease_token=None,
        claimed_at=None,
        lease_until=None,
        begun_at=None,
        starts=now.starts - begun,
    )


def _not_yet(moment: Moment, at: datetime) -> Moment:
    """Returns the moment without what another transaction decided in the same instant, but later."""
    return replace(
        moment,
        paused_at=_until(at, moment.paused_at),
        disabled_at=_until(at, moment.disabled_at),
        deleted_at=_until(at, moment.deleted_at),
    )


def _until(at: datetime, since: datetime | None) -> datetime | None:
    return since if since is not None and since <= at else None
