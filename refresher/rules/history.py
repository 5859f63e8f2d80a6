"""What an event says when it is read back, and how a connection and its row stood at a moment.

Pure. A refresh leaves one row for all its steps, with their instants in it; `steps` takes them apart
again. Each event carries what was true when it was written, so the last one before a moment tells
nearly all (`state_at`); the one with which a lease ended tells since when it had been held.
docs/events.md explains each kind and each column, and lists what leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

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


WITHOUT_OUTCOME = frozenset({"swept", "released"})
"""A lease ended, and nobody learned how: its row is claimed again."""
SUCCESSES = frozenset({"refreshed", "adopted"})
FAILURES = frozenset(
    {"transient", "malformed", "unreadable", "rate_limited", "misconfigured", "revoked"}
)
FORGETTING = frozenset(
    {"imported", "reconnected", "reread", "resumed", "swept", "released", "fenced", "unsent"}
)
"""Events after which the attempts before do not hold a new one back."""


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event as it is read back: an attempt with its steps, and what was true in the end.

    From `state` on: the row and the connection as the event's transaction left them; all None for an
    event that an older version wrote.
    """

    id: int
    connection_id: UUID
    occurred_at: datetime
    kind: str
    lease_token: int | None = None
    credential_version: int | None = None
    attempt: int | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None
    lateness_seconds: float | None = None
    expired_seconds: float | None = None
    reason: str | None = None
    next_due_at: datetime | None = None
    claimed_at: datetime | None = None
    begun_at: datetime | None = None
    lease_until: datetime | None = None
    exchange_seconds: float | None = None
    state: int | None = None
    parked_reason: str | None = None
    postponed_by: str | None = None
    failures: int | None = None
    unknown_outcomes: int | None = None
    starts: int | None = None
    stored_version: int | None = None
    grant_number: int | None = None
    status: str | None = None
    status_cause: str | None = None
    expires_at: datetime | None = None
    lifetime_seconds: float | None = None
    refresh_token_expires_at: datetime | None = None
    paused_at: datetime | None = None
    disabled_at: datetime | None = None
    deleted_at: datetime | None = None
    in_between_steps: bool | None = None
    recorded: Mapping[str, object] | None = None

    @property
    def replied_at(self) -> datetime | None:
        """When the reply was here, or was given up; None where nothing was sent.

        The time between is our clock's, a little more than the database's: never after the commit.
        """
        if self.begun_at is None or self.elapsed_seconds is None:
            return None
        return min(self.begun_at + timedelta(seconds=self.elapsed_seconds), self.occurred_at)


@dataclass(frozen=True, slots=True)
class PastStep:
    """One step of an attempt: `after_seconds` is the time since the step before."""

    name: str
    at: datetime
    after_seconds: float | None


def steps(event: PastEvent) -> tuple[PastStep, ...]:
    """Returns the steps that are known, in their order: claimed, begun, replied, and the last one.

    The last is `committed` where the outcome was written as meant; otherwise it is the event's kind.
    """
    known = [
        ("claimed", event.claimed_at),
        ("begun", event.begun_at),
        ("replied", event.replied_at),
        (_last(event), event.occurred_at),
    ]
    found: list[PastStep] = []
    for name, at in known:
        if at is not None:
            after = (at - found[-1].at).total_seconds() if found else None
            found.append(PastStep(name, at, after))
    return tuple(found)


def _last(event: PastEvent) -> str:
    if event.replied_at is None or event.kind in {"fenced", "adopted"}:
        return event.kind
    return "committed"
