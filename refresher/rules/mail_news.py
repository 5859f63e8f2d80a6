"""Decides what of a mail is still so when it leaves: its subject may have moved since it was planned.

Pure. A mail tells how things stand, so what is over by then is not told; webhooks are a history, and
tell everything in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, assert_never
from uuid import UUID

from refresher.rules.connection import Status
from refresher.rules.notices import MOVED_SECONDS, Kind, State

Subject = tuple[str, str]
"""A scope and a key, as in the table `notice`."""


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
    subject: Subject
    sequence: int
    now: datetime
    ends_at: datetime | None = None
    state: str = State.WELL
    told: str = State.WELL
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
    believed = news.kind.partition(".")[2].replace("recovered", State.WELL) == news.told
    gone = news.subject[0] == "connection" and _living(news) is None
    return Fate.HOLD if news.undecided and believed and not gone else Fate.DROP


def still_so(news: NewsNow) -> bool:
    """Whether what happened still holds. News of another version are told as they are."""
    if news.kind not in set(Kind):
        return True
    match Kind(news.kind):
        case Kind.APP_MISCONFIGURED:
            return news.state == State.MISCONFIGURED
        case Kind.APP_RECOVERED:
            return news.state == State.WELL
        case Kind.WEBHOOK_DISABLED:
            return news.endpoint_disabled
        case (
            Kind.RECONNECT_REQUIRED
            | Kind.RECOVERED
            | Kind.EXPIRING
            | Kind.REFRESH_DELAYED
            | Kind.ANSWER_UNREAD
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
    is_unread = kind is Kind.ANSWER_UNREAD
    if connection.is_stopped or (connection.is_parked and not is_unread):
        return False
    if is_unread or kind is Kind.REFRESH_DELAYED:
        return connection.trouble == (State.ANSWER_UNREAD if is_unread else State.REFRESH_DELAYED)
    return connection.trouble is None and not connection.is_dead


def _same_end(ends_at: datetime | None, news: NewsNow) -> bool:
    """Whether the end that was told lies ahead, and has not moved away since."""
    if ends_at is None or ends_at <= news.now:
        return False
    return news.ends_at is None or ends_at <= news.ends_at + timedelta(seconds=MOVED_SECONDS)
