"""What is done to many connections at once: which deed fits which state, and who is left out and why.

Pure. The same judgement makes the preview and, again, each batch of the job, so what the preview leaves
out is left out. What makes rows due is paced: a bulk refresh is to have the providers' spare room, and
not the room of what is due by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from refresher.rules.access import ApiKey, Scope
from refresher.rules.connection import ParkReason

BATCH = 200
"""So many connections to a transaction: who refreshes one of them waits for some milliseconds."""
MOST_PER_SECOND = 200.0
"""So many rows a second one job makes due, whatever the number of providers."""
SHARE_OF_RATE = 0.5
"""The other half of what a provider takes is left to what is due by itself."""
UNTOLD_PER_SECOND = 20.0
"""For a provider that tells no rate."""


class Deed(StrEnum):
    """What is done to each of them."""

    REFRESH = "refresh"
    RESUME = "resume"
    ENABLE = "enable"
    PAUSE = "pause"
    DISABLE = "disable"
    DELETE = "delete"


MAKE_DUE = frozenset({Deed.REFRESH, Deed.RESUME, Deed.ENABLE})
"""Deeds that make rows due, and are spread for that."""
AUDITED: Mapping[Deed, str] = {
    Deed.REFRESH: "refresh_asked",
    Deed.RESUME: "resumed",
    Deed.ENABLE: "enabled",
    Deed.PAUSE: "paused",
    Deed.DISABLE: "disabled",
    Deed.DELETE: "deleted",
}
"""What a deed is called in events and in the audit."""


class LeftOut(StrEnum):
    """Why a chosen connection is left as it is."""

    GONE = "gone"
    CHANGED = "changed_meanwhile"
    SHARES_GRANT = "shares_grant"
    HOLDS_GRANT = "holds_grant"
    ALREADY = "already"
    UNDER_WAY = "under_way"
    STOPPED = "paused_or_disabled"
    CONNECTING = "connecting"
    RECONNECT = "reconnect_required"
    BLOCKED = "blocked"
    WAITING = "waiting"
    UNSTORED = "unstored"
    BEYOND = "beyond_number"


_ALREADY: Mapping[Deed, tuple[str, str]] = {
    Deed.REFRESH: ("is fresh", "are fresh"),
    Deed.RESUME: ("waits for nothing", "wait for nothing"),
    Deed.ENABLE: ("is not disabled", "are not disabled"),
    Deed.PAUSE: ("is paused already", "are paused already"),
    Deed.DISABLE: ("is disabled already", "are disabled already"),
    Deed.DELETE: ("is deleted already", "are deleted already"),
}
_WHY: Mapping[LeftOut, tuple[str, str]] = {
    LeftOut.GONE: ("is gone", "are gone"),
    LeftOut.CHANGED: ("has changed since", "have changed since"),
    LeftOut.SHARES_GRANT: ("shares the grant of another", "share the grant of another"),
    LeftOut.HOLDS_GRANT: ("holds a grant that others use", "hold a grant that others use"),
    LeftOut.UNDER_WAY: ("is being refreshed", "are being refreshed"),
    LeftOut.STOPPED: ("is paused or disabled", "are paused or disabled"),
    LeftOut.CONNECTING: ("is being connected", "are being connected"),
    LeftOut.RECONNECT: ("needs a reconnect", "need a reconnect"),
    LeftOut.BLOCKED: ("is blocked", "are blocked"),
    LeftOut.WAITING: (
        "waits for the end of a pause at its provider",
        "wait for the end of a pause at their provider",
    ),
    LeftOut.UNSTORED: (
        "has a new pair of tokens that waits to be stored",
        "have a new pair of tokens that waits to be stored",
    ),
    LeftOut.BEYOND: ("is beyond the number of the preview", "are beyond the number of the preview"),
}


def why_left_out(deed: Deed, reason: LeftOut, number: int) -> str:
    """Returns a reason with its pronoun, to follow a number: `they share the grant of another`."""
    one, several = _ALREADY[deed] if reason is LeftOut.ALREADY else _WHY[reason]
    return f"it {one}" if number == 1 else f"they {several}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a chosen connection stands, as far as it counts here.

    `waits`: idle behind a pause, or behind the pace of its grant. `slot_parked`: a token beside its
    main one is parked. `holds_grant`: a living connection that was not chosen uses its grant.
    `changed`: somebody, or a provider's refusal, changed it after the instant of the preview, or it
    has another word of health than was asked for; a mere refresh is no change.
    """

    deleted: bool = False
    disabled: bool = False
    paused: bool = False
    in_between_steps: bool = False
    reconnect_required: bool = False
    parked_reason: str | None = None
    leased: bool = False
    waits: bool = False
    slot_parked: bool = False
    is_sibling: bool = False
    holds_grant: bool = False
    changed: bool = False


def left_out(deed: Deed, one: Standing) -> LeftOut | None:
    """Returns why this deed leaves a connection out; None where it is done to it."""
    if one.deleted:
        return LeftOut.GONE
    if one.changed:
        return LeftOut.CHANGED
    match deed:
        case Deed.REFRESH:
            reason = _not_refreshed(one)
        case Deed.RESUME:
            reason = _not_resumed(one)
        case Deed.ENABLE:
            reason = None if one.disabled else LeftOut.ALREADY
        case Deed.PAUSE:
            reason = LeftOut.ALREADY if one.paused else None
        case Deed.DISABLE:
            reason = LeftOut.ALREADY if one.disabled else None
        case Deed.DELETE:
            reason = LeftOut.HOLDS_GRANT if one.holds_grant else None
        case _:
            assert_never(deed)
    return reason


def _not_refreshed(one: Standing) -> LeftOut | None:
    reasons = {
        LeftOut.SHARES_GRANT: one.is_sibling,
        LeftOut.STOPPED: one.disabled or one.paused,
        LeftOut.CONNECTING: one.in_between_steps,
        LeftOut.RECONNECT: one.reconnect_required,
        LeftOut.UNSTORED: one.parked_reason == ParkReason.UNSTORED,
        LeftOut.BLOCKED: one.parked_reason is not None,
        LeftOut.UNDER_WAY: one.leased,
        LeftOut.WAITING: one.waits,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _not_resumed(one: Standing) -> LeftOut | None:
    if one.disabled or one.paused:
        return None
    if one.is_sibling:  # what it waits for is its root's
        return LeftOut.SHARES_GRANT
    if one.in_between_steps:
        return LeftOut.CONNECTING
    if one.parked_reason == ParkReason.UNSTORED:
        return LeftOut.UNSTORED
    waits = one.reconnect_required or one.parked_reason is not None or one.slot_parked
    return None if waits else LeftOut.ALREADY


def pace(rate: float | None) -> float:
    """Returns how many of one provider's rows a job makes due in a second, of the rate it tells."""
    return UNTOLD_PER_SECOND if rate is None else rate * SHARE_OF_RATE


def spread_seconds(numbers: Mapping[str, int], rates: Mapping[str, float | None]) -> float:
    """Returns over how long so many rows of each provider are made due."""
    slowest = max((count / pace(rates.get(name)) for name, count in numbers.items()), default=0.0)
    return max(slowest, sum(numbers.values()) / MOST_PER_SECOND)


def lacks_right(
    key: ApiKey | None, organization_id: str | None, needed: Scope, now: datetime
) -> str | None:
    """Returns why a key may not go on with what it began, as the end of a sentence; None: it may.

    Asked at each batch. `organization_id` is the one it was bound to when it began.
    """
    if key is None:
        return "its API key is gone"
    if key.revoked_at is not None:
        return "its API key is revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "its API key has expired"
    if needed not in key.scopes:
        return f"its API key lacks the scope {needed}"
    if key.organization_id not in {None, organization_id}:
        return "its API key belongs to another organization now"
    return None
