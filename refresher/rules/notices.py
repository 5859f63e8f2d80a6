"""Decides what people are told, when, and whether it is still so when a mail about it leaves.

Pure. Each state change is told once, and a flapping one is damped: `ToldBefore` is what is known of one
connection or app, what was told of it last, and how long ago. A change back to what people believe
anyway is never told; the same kind of news is told again only after `QUIET_SECONDS`, and then only if
it is still so. A mail tells how things stand, so what is over by then is not told; webhooks are a
history, and tell everything in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, assert_never
from uuid import UUID

from refresher.rules.connection import Status

QUIET_SECONDS = 300.0
"""For so long after a notice, no second one of its kind about the same connection or app."""
PROOF_SECONDS = 60.0
"""How long a mend that nothing has proved yet (a new client secret) must stand to be told."""
EXPIRING_DAYS = (30, 7, 1)
"""So many days before the fixed end of a refresh token its connection is told of."""
DAY_SECONDS = 86_400.0
MOVED_SECONDS = 3_600.0
"""An end that came nearer by less is the same end, told with another rounding."""

SubjectScope = Literal["connection", "app", "webhook", "session"]


class NewsState(StrEnum):
    """How a connection or an app stands, as far as people care."""

    WELL = "well"
    RECONNECT_REQUIRED = "reconnect_required"
    REFRESH_DELAYED = "refresh_delayed"
    ANSWER_UNREAD = "answer_unread"
    ANSWER_LOST = "answer_lost"
    MISCONFIGURED = "misconfigured"


class Kind(StrEnum):
    """What a notice tells."""

    RECONNECT_REQUIRED = "connection.reconnect_required"
    RECOVERED = "connection.recovered"
    EXPIRING = "connection.expiring"
    REFRESH_DELAYED = "connection.refresh_delayed"
    ANSWER_UNREAD = "connection.answer_unread"
    ANSWER_LOST = "connection.answer_lost"
    APP_MISCONFIGURED = "app.misconfigured"
    APP_RECOVERED = "app.recovered"
    WEBHOOK_DISABLED = "webhook.disabled"
    CONNECTED = "connection.connected"
    ACCOUNT_CHANGED = "connection.account_changed"
    CONNECT_ENDED = "connect.ended"


@dataclass(frozen=True, slots=True)
class ToldBefore:
    """What was told of a connection or app last, and the seconds since news of each sort, if any."""

    told: NewsState = NewsState.WELL
    since_trouble_seconds: float | None = None
    since_recovery_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell it now."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class TellLater:
    """Look again in so many seconds: it may be over by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Nothing:
    """People believe what is so."""


Notice = Tell | TellLater | Nothing


def verdict(
    scope: SubjectScope, so: NewsState, standing: ToldBefore, *, proven: bool = True
) -> Notice:
    """Returns whether the state `so` is told now, later, or not at all.

    A provider that fails and recovers 20 times in ten minutes: told at 0 s (trouble) and 30 s (well),
    then at most once each in every 300 s, and last what is so. Trouble that grows worse (delayed, then
    reconnect required) is told at once. What is not `proven` must stand for a minute.
    """
    if so is standing.told:
        return Nothing()
    if not proven:
        return TellLater(PROOF_SECONDS)
    is_well = so is NewsState.WELL
    since = standing.since_recovery_seconds if is_well else standing.since_trouble_seconds
    escalates = not is_well and standing.told is not NewsState.WELL
    if since is None or since >= QUIET_SECONDS or escalates:
        return Tell(kind_of(scope, so))
    return TellLater(QUIET_SECONDS - since)


def kind_of(scope: SubjectScope, state: NewsState) -> Kind:
    """Returns what a notice of this state is called."""
    word = "recovered" if state is NewsState.WELL else state.value
    return Kind(f"{scope}.{word}")


def delay_cause(postponed_by: str | None) -> str:
    """Returns why a token could not be refreshed in time, from what its row waits for."""
    if postponed_by is None:
        return "provider_failing"
    return "app_refused" if postponed_by.startswith("app:") else "provider_paused"


@dataclass(frozen=True, slots=True)
class ExpiryLook:
    """What to do about a refresh token's end: tell so many days, then look again, or never."""

    tell_days: int | None
    again_in_seconds: float | None


def expiring(left_seconds: float, told_days: int | None) -> ExpiryLook:
    """Returns what a refresh token's end calls for, `told_days` being the notice it had last.

    31 days left: look in a day. 29 left: tell 30, look in 22. 6 left: tell 7, look in 5. 12 hours left:
    tell 1, look at the end whether it has moved. An end that was passed is no news: what follows is a
    dead grant.
    """
    if left_seconds <= 0:
        return ExpiryLook(None, None)
    reached = reached_days(left_seconds)
    ahead = next((d for d in EXPIRING_DAYS if reached is None or d < reached), 0)
    again = left_seconds - ahead * DAY_SECONDS
    is_news = reached is not None and (told_days is None or reached < told_days)
    return ExpiryLook(reached if is_news else None, again)


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


NoticeSubject = tuple[SubjectScope, str]
"""A connection or a webhook endpoint (its id as text), or an app (`google/default`)."""


@dataclass(frozen=True, slots=True)
class ConnectionNow:
    """How a connection stands that somebody is to be told of."""

    status: str = Status.ACTIVE
    trouble: str | None = None
    is_deleted: bool = False
    is_stopped: bool = False
    """Disabled or paused: on purpose."""
    is_parked: bool = False
    is_dead: bool = False
    """Its token has expired, and its row waits because of trouble."""
    refresh_token_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewsNow:
    """One thing that a mail would tell, beside how its subject stands at `now`.

    `state` is how the notice's subject stands, `told` what was told of it last; `undecided` says that
    something is held back, so that it may be told anew. `connection` is None for one that is gone, and
    for what is about no connection.
    """

    id: UUID
    kind: str
    subject: NoticeSubject
    sequence: int
    now: datetime
    ends_at: datetime | None = None
    state: str = NewsState.WELL
    told: str = NewsState.WELL
    undecided: bool = False
    connection: ConnectionNow | None = None
    endpoint_disabled: bool = False


class Fate(StrEnum):
    """What becomes of one thing in a mail that is about to leave."""

    TELL = "tell"
    HOLD = "hold"
    """It is not so at this moment, and may be again without being told anew: the next digest asks."""
    DROP = "drop"


def fates(news: Sequence[NewsNow]) -> Mapping[UUID, Fate]:
    """Returns what becomes of each. Of several about the same thing only the newest is told."""
    newest = {(n.subject, n.kind): n.id for n in sorted(news, key=lambda n: n.sequence)}
    return {n.id: _fate(n) if newest[n.subject, n.kind] == n.id else Fate.DROP for n in news}


def _fate(news: NewsNow) -> Fate:
    if still_so(news):
        return Fate.TELL
    believed = news.kind.partition(".")[2].replace("recovered", NewsState.WELL) == news.told
    gone = news.subject[0] == "connection" and _living(news) is None
    return Fate.HOLD if news.undecided and believed and not gone else Fate.DROP


def still_so(news: NewsNow) -> bool:
    """Whether what happened still holds. News of another version are told as they are."""
    if news.kind not in set(Kind):
        return True
    match Kind(news.kind):
        case Kind.APP_MISCONFIGURED:
            return news.state == NewsState.MISCONFIGURED
        case Kind.APP_RECOVERED:
            return news.state == NewsState.WELL
        case Kind.WEBHOOK_DISABLED:
            return news.endpoint_disabled
        case Kind.CONNECTED | Kind.ACCOUNT_CHANGED | Kind.CONNECT_ENDED:
            return True  # it happened, and nobody has to do anything
        case (
            Kind.RECONNECT_REQUIRED
            | Kind.RECOVERED
            | Kind.EXPIRING
            | Kind.REFRESH_DELAYED
            | Kind.ANSWER_UNREAD
            | Kind.ANSWER_LOST
        ) as kind:
            living = _living(news)
            return living is not None and _holds(kind, living, news)
        case never:
            assert_never(never)


def _living(news: NewsNow) -> ConnectionNow | None:
    connection = news.connection
    return None if connection is None or connection.is_deleted else connection


def _holds(
    kind: Literal[
        Kind.RECONNECT_REQUIRED,
        Kind.RECOVERED,
        Kind.EXPIRING,
        Kind.REFRESH_DELAYED,
        Kind.ANSWER_UNREAD,
        Kind.ANSWER_LOST,
    ],
    connection: ConnectionNow,
    news: NewsNow,
) -> bool:
    """Whether it holds of a connection that exists; one stopped on purpose waits for nobody."""
    if kind is Kind.RECONNECT_REQUIRED:
        return connection.status == Status.RECONNECT_REQUIRED
    if connection.status != Status.ACTIVE:
        return False
    if kind is Kind.EXPIRING:
        return _same_end(connection.refresh_token_expires_at, news)
    waits = kind in {Kind.ANSWER_UNREAD, Kind.ANSWER_LOST}
    if connection.is_stopped or (connection.is_parked and not waits):
        return False
    if waits or kind is Kind.REFRESH_DELAYED:
        return connection.trouble == kind.partition(".")[2]
    return connection.trouble is None and not connection.is_dead


def _same_end(ends_at: datetime | None, news: NewsNow) -> bool:
    """Whether the end that was told lies ahead, and has not moved away since."""
    if ends_at is None or ends_at <= news.now:
        return False
    return news.ends_at is None or ends_at <= news.ends_at + timedelta(seconds=MOVED_SECONDS)
