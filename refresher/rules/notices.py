"""Decides what people are told, and when: once for each state change, and a flapping one is damped.

Pure. `Standing` is what is known of one connection or app: what was told of it last, and how long ago.
A change back to what people believe anyway is never told; the same kind of news is told again only
after `QUIET_SECONDS`, and then only if it is still so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

QUIET_SECONDS = 300.0
"""For so long after a notice, no second one of its kind about the same connection or app."""
PROOF_SECONDS = 60.0
"""How long a mend that nothing has proved yet (a new client secret) must stand to be told."""
EXPIRING_DAYS = (30, 7, 1)
"""So many days before the fixed end of a refresh token its connection is told of."""
DAY_SECONDS = 86_400.0
MOVED_SECONDS = 3_600.0
"""An end that came nearer by less is the same end, told with another rounding."""

Scope = Literal["connection", "app", "webhook"]


class State(StrEnum):
    """How a connection or an app stands, as far as people care."""

    WELL = "well"
    RECONNECT_REQUIRED = "reconnect_required"
    REFRESH_DELAYED = "refresh_delayed"
    ANSWER_UNREAD = "answer_unread"
    MISCONFIGURED = "misconfigured"


class Kind(StrEnum):
    """What a notice tells."""

    RECONNECT_REQUIRED = "connection.reconnect_required"
    RECOVERED = "connection.recovered"
    EXPIRING = "connection.expiring"
    REFRESH_DELAYED = "connection.refresh_delayed"
    ANSWER_UNREAD = "connection.answer_unread"
    APP_MISCONFIGURED = "app.misconfigured"
    APP_RECOVERED = "app.recovered"
    WEBHOOK_DISABLED = "webhook.disabled"


@dataclass(frozen=True, slots=True)
class Standing:
    """What was told of a connection or app last, and the seconds since news of each sort, if any."""

    told: State = State.WELL
    since_trouble_seconds: float | None = None
    since_recovery_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell it now."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again in so many seconds: it may be over by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Nothing:
    """People believe what is so."""


Verdict = Tell | Wait | Nothing


def verdict(scope: Scope, so: State, standing: Standing, *, proven: bool = True) -> Verdict:
    """Returns whether the state `so` is told now, later, or not at all.

    A provider that fails and recovers 20 times in ten minutes: told at 0 s (trouble) and 30 s (well),
    then at most once each in every 300 s, and last what is so. Trouble that grows worse (delayed, then
    reconnect required) is told at once. What is not `proven` must stand for a minute.
    """
    if so is standing.told:
        return Nothing()
    if not proven:
        return Wait(PROOF_SECONDS)
    is_well = so is State.WELL
    since = standing.since_recovery_seconds if is_well else standing.since_trouble_seconds
    escalates = not is_well and standing.told is not State.WELL
    if since is None or since >= QUIET_SECONDS or escalates:
        return Tell(kind_of(scope, so))
    return Wait(QUIET_SECONDS - since)


def kind_of(scope: Scope, state: State) -> Kind:
    """Returns what a notice of this state is called."""
    word = "recovered" if state is State.WELL else state.value
    return Kind(f"{scope}.{word}")


def delay_cause(postponed_by: str | None) -> str:
    """Returns why a token could not be refreshed in time, from what its row waits for."""
    if postponed_by is None:
        return "provider_failing"
    return "app_refused" if postponed_by.startswith("app:") else "provider_paused"


@dataclass(frozen=True, slots=True)
class Look:
    """What to do about a refresh token's end: tell so many days, then look again, or never."""

    tell_days: int | None
    again_in_seconds: float | None


def expiring(left_seconds: float, told_days: int | None) -> Look:
    """Returns what a refresh token's end calls for, `told_days` being the notice it had last.

    31 days left: look in a day. 29 left: tell 30, look in 22. 6 left: tell 7, look in 5. 12 hours left:
    tell 1, look at the end whether it has moved. An end that was passed is no news: what follows is a
    dead grant.
    """
    if left_seconds <= 0:
        return Look(None, None)
    reached = reached_days(left_seconds)
    ahead = next((d for d in EXPIRING_DAYS if reached is None or d < reached), 0)
    again = left_seconds - ahead * DAY_SECONDS
    is_news = reached is not None and (told_days is None or reached < told_days)
    return Look(reached if is_news else None, again)


def reached_days(left_seconds: float) -> int | None:
    """Returns the notice that is due with so much left: 30, 7, 1, or None before all of them."""
    return next((d for d in reversed(EXPIRING_DAYS) if left_seconds <= d * DAY_SECONDS), None)


def end_is_news(
    *, slides: bool, left_before_seconds: float | None, left_after_seconds: float | None
) -> bool:
    """Whether a refresh told an end that nobody watches yet: a first one, or a nearer one.

    An end that moves away needs no word: whoever looks at the old one finds the new. One that slides
    with each use is no fixed end.
    """
    if slides or left_after_seconds is None:
        return False
    if left_before_seconds is None or left_before_seconds <= 0:
        return True
    return left_before_seconds - left_after_seconds > MOVED_SECONDS
