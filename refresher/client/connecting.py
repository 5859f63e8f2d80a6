"""Connect sessions, as an application sees them: begun, looked at, completed.

An application that has several users lets `connect_url` begin with a return URL: it keeps `session_id`
and `verifier` in *that user's* own session, and only who comes back with it can complete it. So a link
that reached somebody else connects nobody's account to another's. docs/connect.md.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from refresher.client.calls import Call
from refresher.client.values import made
from refresher.client.which import Which, as_id, as_uuid
from refresher.errors import NoSuchSession

Id = UUID | str
PATH = "/v1/connect/sessions"
LONGEST_WAIT_SECONDS = 20.0
"""How long one request waits; `connect_wait` makes as many as it needs."""
PAUSE_SECONDS = 0.5
"""Between two looks, where nobody waits for us."""


@dataclass(frozen=True, slots=True)
class ConnectStart:
    """Where to send a person, and what to keep until they are back.

    `url` and `verifier` are secrets: whoever has the URL can connect an account of theirs. `verifier`
    is None where no return URL was given: then our own page has the last word. `connection_id` is None
    while nobody can know it: before the account is known.
    """

    session_id: UUID
    url: str = field(repr=False)
    verifier: str | None = field(repr=False)
    connection_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ConnectProblem:
    """Why the last attempt, or the session, came to nothing; the code does not change."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ConnectStatus:
    """How a connect session stands.

    `state` is `open`, `exchanging`, `held` (the provider has answered) or `ended`, with an `outcome` of
    `connected`, `expired` or `cancelled`. `account` is what people call the account.
    """

    session_id: UUID
    state: str
    outcome: str | None = None
    problem: ConnectProblem | None = None
    attempts: int = 0
    connection_id: UUID | None = None
    account: str | None = None
    scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] | None = None
    missing_scopes: tuple[str, ...] = ()
    also_connected_as: tuple[UUID, ...] = ()
    expires_at: datetime | None = None

    @property
    def is_connected(self) -> bool:
        """Whether it came to a connection."""
        return self.outcome == "connected"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state == "ended"


class Wishes(TypedDict, total=False):
    """What a session may be begun with, beside what it is for; docs/connect.md explains each."""

    scopes: Sequence[str]
    required_scopes: Sequence[str]
    for_whom: str | None
    return_url: str | None
    flow: Literal["redirect", "link"]
    finish: Literal["page", "application"]
    expires_in_seconds: float | None
    account_hint: str | None
    parameters: Mapping[str, str]
    leave_in_between_steps: bool
    allow_account_change: bool


class Whom(Wishes, total=False):
    """What `connect_url` takes by name."""

    organization_id: str | None
    provider: str | None
    server_url: str | None
    issuer: str | None
    external_id: str | None
    app: str | None
    host: str | None
    placeholders: Mapping[str, str]
    if_exists: Literal["reconnect", "refuse"]


def begin(given: Mapping[str, object]) -> Call[ConnectStart]:
    """A new session; with a return URL, one that the application completes."""
    from refresher.rules.connect import s256

    body: dict[str, object] = {name: _plain(v) for name, v in given.items() if v is not None}
    if "return_url" in body:
        body.setdefault("finish", "application")
    verifier = secrets.token_urlsafe(32) if body.get("finish") == "application" else None
    if verifier is not None:
        body["finish_challenge"] = s256(verifier)
    return Call(
        "POST",
        PATH,
        read=lambda document: _started(document, verifier),
        here=lambda direct: _started(direct.connect_begin(body), verifier),
        body=body,
        about="connect",
    )


def reconnect(which: Which, wishes: Mapping[str, object]) -> Call[ConnectStart]:
    """A session for the account of a connection that there is."""
    return begin({"connection_id": str(as_id(which)), **wishes})


def status(given: Id, *, wait_seconds: float = 0.0) -> Call[ConnectStatus]:
    """How a session stands; the API waits for its end, so long."""
    id_ = _session_id(given)
    return Call(
        "GET",
        f"{PATH}/{id_}",
        read=_status,
        here=lambda direct: _status(direct.connect_status(id_)),
        params={"wait_seconds": str(wait_seconds)} if wait_seconds else {},
        wait_seconds=wait_seconds,
        about="connect",
    )


def looks(session_id: Id, seconds: float) -> Iterator[Call[ConnectStatus]]:
    """Yields how to look, again and again, until so many seconds are over; once at least."""
    until = time.monotonic() + seconds
    while True:
        left = max(0.0, until - time.monotonic())
        yield status(session_id, wait_seconds=min(left, LONGEST_WAIT_SECONDS))
        if time.monotonic() >= until:
            return


def complete(given: Id, code: str, verifier: str) -> Call[ConnectStatus]:
    """The application's word that this account is its user's."""
    id_ = _session_id(given)
    return Call(
        "POST",
        f"{PATH}/{id_}/complete",
        read=_status,
        here=lambda direct: _status(direct.connect_complete(id_, code, verifier)),
        body={"code": code, "verifier": verifier},
        about="connect",
    )


def cancel(given: Id) -> Call[ConnectStatus]:
    """A session that ends now, and its link with it."""
    id_ = _session_id(given)
    return Call(
        "POST",
        f"{PATH}/{id_}/cancel",
        read=_status,
        here=lambda direct: _status(direct.connect_cancel(id_)),
        about="connect",
        once=True,
    )


def opened(which: Which) -> Call[tuple[ConnectStatus, ...]]:
    """The sessions of a connection that are open, the newest ones."""
    id_ = as_id(which)
    return Call(
        "GET",
        PATH,
        read=lambda document: tuple(_status(one) for one in document["items"]),
        here=lambda direct: tuple(_status(one) for one in direct.connect_opened(id_)),
        params={"state": "open", "connection_id": str(id_)},
        about="connect",
    )


def _started(document: Mapping[str, Any], verifier: str | None) -> ConnectStart:
    return made(ConnectStart, {**document, "session_id": document["id"], "verifier": verifier})


def _status(document: Mapping[str, Any]) -> ConnectStatus:
    problem = document.get("problem")
    named = {"session_id": document["id"], "problem": problem and made(ConnectProblem, problem)}
    return made(ConnectStatus, {**document, **named})


def _session_id(given: Id) -> UUID:
    sentence = "a connect session's id is a UUID: the session_id that connect_url() returned"
    return as_uuid(given, NoSuchSession(sentence))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple | set | frozenset) else value
