"""Decides whether a connection may be refreshed at all, from the row as it is stored now.

Pure, and asked twice: after the reload, and again in the conditional update that begins the
refresh (`store.marking.begin`), which refuses if the connection changed in between.
"""

from __future__ import annotations

from dataclasses import dataclass

from refresher.rules.connection import Connection, ParkReason, Status, value
from refresher.rules.providers import Provider, Strategy


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nothing stands in the way."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Not now: the row leaves the schedule, with this reason, until something resumes it."""

    reason: ParkReason


GuardVerdict = Proceed | Skip


@value
class Outline:
    """As much of a connection as is judged here, for one that is not stored as it is judged.

    Of its tokens, its app and its token's end counts whether they are there: None, or anything else.
    """

    status: Status = Status.ACTIVE
    access_token: object = None
    refresh_token: object = None
    expires_at: object = None
    app: object = None
    deleted: bool = False
    disabled: bool = False
    paused: bool = False
    in_between_steps: bool = False


def check(
    connection: Connection | Outline | None,
    provider: Provider | None,
    *,
    stop_when_expired: bool,
    expired: bool,
) -> GuardVerdict:
    """Returns `Proceed`, or `Skip` with the first reason that holds.

    An expired token is refreshed all the same: there is no "too late", unless the token is its own
    grant (long-lived exchange), or the setting `expired_tokens = "stop"` asks for the strict way.
    """
    if connection is None:
        return Skip(ParkReason.MISSING)
    reason = _state(connection) or _means(connection, provider)
    if reason is None and expired and provider is not None:
        own_grant = provider.strategy is Strategy.LONG_LIVED_EXCHANGE
        if own_grant or stop_when_expired:
            reason = ParkReason.RECONNECT_REQUIRED
    return Skip(reason) if reason else Proceed()


def _state(connection: Connection | Outline) -> ParkReason | None:
    """Returns why the connection's own state forbids a refresh; the gravest reason first."""
    if connection.deleted:
        return ParkReason.DELETED
    if connection.disabled:
        return ParkReason.DISABLED
    if connection.paused:
        return ParkReason.PAUSED
    if connection.in_between_steps:
        return ParkReason.MID_OAUTH
    if connection.status is Status.RECONNECT_REQUIRED:
        return ParkReason.RECONNECT_REQUIRED
    return None


def _means(connection: Connection | Outline, provider: Provider | None) -> ParkReason | None:
    """Returns what is lacking for a request."""
    if provider is None or provider.is_looked_up:
        return ParkReason.UNKNOWN_PROVIDER
    if provider.needs_app and connection.app is None:
        return ParkReason.APP_NOT_CONFIGURED
    match provider.strategy:
        case Strategy.REFRESH_TOKEN if connection.refresh_token is None:
            return ParkReason.NOTHING_TO_REFRESH_WITH
        case Strategy.LONG_LIVED_EXCHANGE if connection.access_token is None:
            return ParkReason.NOTHING_TO_REFRESH_WITH
    if connection.expires_at is None and connection.access_token is not None:
        return ParkReason.NO_EXPIRY  # a token that is not there yet has no end to be known
    return None
