"""Decides what a caller who wants an access token gets: the stored one, a refresh, a wait, an error.

Pure, and asked after every look at the row. A token that has `min_ttl_seconds` left is served as it is.
Otherwise the row is refreshed, or whoever refreshes it is waited for. When no refresh can be had, a
token that is still valid is served with a reason (`stale`); an expired one never is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, assert_never
from uuid import UUID

from refresher.rules.connection import ParkReason, Sealed, Status
from refresher.rules.explanation import PACE
from refresher.rules.history import FAILURES, SUCCESSES
from refresher.rules.unavailable import Reason, Why

MOST_OF_A_LIFE = 0.5
"""Who asks for more than this share of the lives that a provider gives gets this share."""
SOON_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller wants: a token with so much life left, and not the one with this fingerprint.

    `slot` names a token beside the main one.
    """

    min_ttl_seconds: float = 60.0
    rejected: str | None = None
    organization_id: str | None = None
    slot: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The token of a connection (its root's, for a sibling) as stored, sealed. Lives count from now."""

    connection_id: UUID
    root_id: UUID
    organization_id: str
    deleted: bool
    access_token: Sealed | None
    expires_at: datetime | None
    left_seconds: float | None
    lifetime_seconds: float | None
    status: str
    scopes: tuple[str, ...]
    credential_version: int
    kept_fields: Mapping[str, str | int | float | bool] | None = None
    kept_secrets: Sealed | None = None
    provider: str = ""


@dataclass(frozen=True, slots=True)
class DueRow:
    """The root's schedule row at the same moment, and the last event that tells of an attempt."""

    state: Literal["idle", "leased", "parked", "none"]
    lease_token: int = 0
    parked_reason: str | None = None
    postponed_by: str | None = None
    due_in_seconds: float | None = None
    last_event: str | None = None
    last_reason: str | None = None
    since_seconds: float = 0.0
    provider: str = ""
    begun: bool = False
    consent_seconds: float | None = None
    """how long the code of a new consent may be under way still; None: none is"""


class Need(StrEnum):
    """Why the stored token will not do."""

    ABSENT = "absent"
    EXPIRED = "expired"
    REJECTED = "rejected"
    ENDING = "ending"
    DYING = "dying"
    """A refresh is under way that ends it, for its provider leaves no old token good."""


@dataclass(frozen=True, slots=True)
class Serve:
    """Hand the stored token out; with a reason when it is not as fresh as was asked."""

    stale: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Refresh:
    """Claim the row, if its lease token is still this one, and refresh it here and now."""

    lease_token: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody has the row: wait for the end of this lease, and look again."""

    lease_token: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no valid token. `retry_after_seconds` is None when waiting does not help."""

    reason: Reason
    detail: str | None = None
    retry_after_seconds: float | None = None


NextStep = Serve | Refresh | Wait | Refuse


def needs(stored: Stored, ask: Ask, *, rejected: bool) -> Need | None:
    """Returns why a refresh is wanted, None when the stored token will do."""
    left = stored.left_seconds
    if stored.access_token is None:
        return Need.ABSENT
    if left is not None and left <= 0:
        return Need.EXPIRED
    if rejected:
        return Need.REJECTED
    if left is not None and left < ask.min_ttl_seconds:
        return Need.ENDING
    return None


def as_stored(stored: Stored) -> Serve:
    """Returns the service of a token that will do, with what a caller should know about it."""
    ended = stored.status == Status.RECONNECT_REQUIRED
    return Serve(ParkReason.RECONNECT_REQUIRED) if ended else Serve()


def next_step(
    need: Need,
    stored: Stored,
    row: DueRow,
    *,
    interval_seconds: float,
    late: bool = False,
    tried: str | None = None,
    survives: bool = True,
) -> NextStep:
    """Returns what to do about `need`.

    `tried` is how our own refresh ended: nobody tries twice for one call. `late` is whether the
    caller's patience is over. Within `interval_seconds` of a failure nothing is tried again, nor after
    a success just because the token is refused. Where the old token does not survive a refresh there is
    none before its time, just because somebody wants more life.
    """
    if need is Need.ENDING and not held_back(row) and _is_short_lived(stored, row, tried):
        return Serve(Why.SHORT_LIVED)
    if need is Need.ENDING and not survives and _is_as_planned(row):
        return Serve(Why.OLD_TOKEN_DIES)
    impatient = Refuse(Why.STILL_REFRESHING, None, SOON_SECONDS) if late else None
    if consented := while_consented(row):
        return _instead(need, consented)
    match row.state:
        case "leased":
            return _instead(need, impatient) if impatient else Wait(row.lease_token)
        case "parked" | "none":
            return _parked(need, row)
        case "idle":
            obstacle = _obstacle(need, row, interval_seconds, tried) or impatient
            return _instead(need, obstacle) if obstacle else Refresh(row.lease_token)
        case _:
            assert_never(row.state)


def while_consented(row: DueRow) -> Refuse | None:
    """Returns what stands against a refresh while a consent is under way; not where it is stopped."""
    mended = {None, ParkReason.MID_OAUTH, ParkReason.RECONNECT_REQUIRED}  # by what may come of it
    if row.consent_seconds is None or row.state == "leased" or row.parked_reason not in mended:
        return None
    return Refuse(Why.STILL_REFRESHING, "a consent is under way", SOON_SECONDS)


def is_dying(row: DueRow, *, survives: bool) -> bool:
    """Whether the stored token may be dead at any moment, whatever life it has left."""
    return not survives and row.state == "leased" and row.begun


def _is_as_planned(row: DueRow) -> bool:
    """Whether the row waits for its due time, and for nothing else."""
    waits = row.state == "idle" and (row.due_in_seconds or 0.0) > 0
    return waits and row.postponed_by is None and row.last_event not in FAILURES


def _is_short_lived(stored: Stored, row: DueRow, tried: str | None) -> bool:
    """Whether the provider gives no more life than this: else every call would refresh."""
    # What an import tells is what was left then, not a whole life; so only a refresh counts.
    if row.last_event not in SUCCESSES:
        return False
    share = MOST_OF_A_LIFE * (stored.lifetime_seconds or 0.0)
    return tried is not None or 0 < share <= (stored.left_seconds or 0.0)


def _parked(need: Need, row: DueRow) -> NextStep:
    known = {reason.value: reason for reason in ParkReason}
    reason = known.get(row.parked_reason or "", ParkReason.MISSING)
    # A token that is refused, and cannot be replaced until a person acts, is as good as none.
    return Serve(reason) if need is Need.ENDING else Refuse(reason)


def _instead(need: Need, refusal: Refuse) -> NextStep:
    """Returns the stored token while it may be valid, the refusal when it cannot be."""
    if need in {Need.ENDING, Need.REJECTED, Need.DYING}:
        return Serve(refusal.reason, refusal.detail)
    return refusal


def _obstacle(need: Need, row: DueRow, interval_seconds: float, tried: str | None) -> Refuse | None:
    """Returns what stands against a refresh of an idle row, None when nothing does."""
    if held := held_back(row):
        return held
    if row.last_event == "rate_limited" and (row.due_in_seconds or 0.0) > 0:
        return Refuse(Why.PROVIDER_PAUSED, row.last_reason, row.due_in_seconds)
    left = interval_seconds - row.since_seconds
    if row.last_event in FAILURES and (left > 0 or tried):
        told = f"{row.last_event} ({row.last_reason})" if row.last_reason else row.last_event
        return Refuse(Why.REFRESH_FAILED, told, max(left, SOON_SECONDS))
    if row.last_event in SUCCESSES and need is Need.REJECTED and (left > 0 or tried):
        return Refuse(Why.REFRESHED_JUST_NOW, None, max(left, SOON_SECONDS))
    if tried:
        return Refuse(Why.REFRESH_FAILED, tried, SOON_SECONDS)
    return None


def held_back(row: DueRow) -> Refuse | None:
    """Returns what an idle row waits for the end of, by a pause or by the pace of its grant."""
    by = row.postponed_by
    if by is None or (row.due_in_seconds or 0.0) <= 0:
        return None
    if by.startswith(PACE):
        return Refuse(Why.PACED, None, row.due_in_seconds)
    reason = Why.APP_PAUSED if by.startswith("app:") else Why.PROVIDER_PAUSED
    return Refuse(reason, by, row.due_in_seconds)
