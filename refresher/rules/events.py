"""What an event says when it is read back, and the steps that one event stands for.

Pure. A refresh leaves one row for all its steps, with their instants in it; `steps` takes them apart
again. docs/events.md explains each kind and each column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

ATTEMPTS = frozenset(
    {"refreshed", "adopted", "fenced", "rate_limited", "transient", "unsent", "malformed", "unreadable",
     "misconfigured", "revoked", "parked", "postponed", "swept", "released"}
)  # fmt: skip
"""The kinds with which a lease ends; the others are what people and imports did."""
WITHOUT_OUTCOME = frozenset({"swept", "released"})
"""A lease ended, and nobody learned how: its row is claimed again."""


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
class Step:
    """One step of an attempt: `after_seconds` is the time since the step before."""

    name: str
    at: datetime
    after_seconds: float | None


def steps(event: PastEvent) -> tuple[Step, ...]:
    """Returns the steps that are known, in their order: claimed, begun, replied, and the last one.

    The last is `committed` where the outcome was written as meant; otherwise it is the event's kind.
    """
    known = [
        ("claimed", event.claimed_at),
        ("begun", event.begun_at),
        ("replied", event.replied_at),
        (_last(event), event.occurred_at),
    ]
    found: list[Step] = []
    for name, at in known:
        if at is not None:
            after = (at - found[-1].at).total_seconds() if found else None
            found.append(Step(name, at, after))
    return tuple(found)


def _last(event: PastEvent) -> str:
    if event.replied_at is None or event.kind in {"fenced", "adopted"}:
        return event.kind
    return "committed"
