"""What the pages of a consent are told, and why they are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from refresher.errors import RefresherError
from refresher.rules.connect import (
    Problem,
    Session,
    Trouble,
)


class LinkEnded(RefresherError):
    """The link leads nowhere: it is none of ours, was used, or has ended; `problem` says which page."""

    def __init__(self, trouble: Trouble, *, connected: bool = False) -> None:
        super().__init__(trouble.sentence)
        self.problem = trouble.code
        self.connected = connected


class StartRefused(RefresherError):
    """No attempt begins, and the link stays good: a wrong host, an app that is not set up."""

    def __init__(self, problem: Problem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


class OtherBrowser(RefresherError):
    """The session was not begun in this browser: it is told nothing."""


@dataclass(frozen=True, slots=True)
class StartView:
    """What the start page says. `is_hop`: it is none, for the application has the last word (C9).

    `scopes` are told in words where there are some. `host` is the one that is asked for (`asks_host`),
    or that it is.
    """

    session_id: UUID
    provider: str
    title: str
    organization_id: str
    organization_name: str | None
    for_whom: str | None
    scopes: Sequence[tuple[str, str | None]]
    is_reconnect: bool
    account: str | None
    asks_host: bool
    host: str | None
    host_example: str | None
    is_hop: bool


@dataclass(frozen=True, slots=True)
class Leave:
    """Where the browser goes now, and the cookie by which it is known again."""

    url: str = field(repr=False)
    cookie_name: str
    cookie: str = field(repr=False)
    max_age_seconds: int
    provider: str
    title: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The code is under way, or what came of it is not settled yet."""

    session: Session
    title: str


@dataclass(frozen=True, slots=True)
class Connected:
    """It is connected; `return_url`, where there is one, is where the browser goes."""

    session: Session
    title: str
    return_url: str | None


@dataclass(frozen=True, slots=True)
class Confirm:
    """The application has the last word: the browser goes there with a one-time code."""

    session: Session
    return_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not connected. `return_url` leads back to the application, which is told so."""

    session: Session
    title: str
    trouble: Trouble
    may_retry: bool
    return_url: str | None


ResultView = Waiting | Connected | Confirm | Failed
