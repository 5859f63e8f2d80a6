"""One request of somebody who is signed in: what a handler is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import cached_property
from uuid import UUID

from refresher.rules.access import Actor, ApiKey, Scope
from refresher.runtime.services import Services
from refresher.store.looking import looking
from refresher.store.session import Database, Db
from refresher.web.dashboard.routing import NotHere
from refresher.web.dashboard.sessions import Session, Sessions
from refresher.web.reading import ID
from refresher.web.state import Shared

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Visit:
    """Safe to use on the thread that runs the handler.

    `key` is the session's key with the scopes that count here: never `token`, and `read` alone where
    the session only looks. `pattern` is the route's, `path` what was asked for.
    """

    shared: Shared
    session: Session
    key: ApiKey
    now: datetime
    zone: tzinfo
    path: str
    pattern: str
    sessions: Sessions
    parts: Mapping[str, str] = field(default_factory=dict)
    query_pairs: Pairs = ()
    form_pairs: Pairs = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    """What this browser chose for itself: theme, zone, slash."""
    is_live: bool = False
    """Whether a script asks for the parts of a page that has been open for some time."""
    etag: str = ""
    """What it has, by its tag."""
    cookies: list[tuple[str, str, int | None]] = field(default_factory=list)
    """Cookies that go with the answer: name, value, seconds."""

    @property
    def services(self) -> Services:
        """What everything in this process shares."""
        return self.shared.services

    @property
    def database(self) -> Database:
        """Postgres."""
        return self.shared.services.database

    @property
    def actor(self) -> Actor:
        """Who acts, as events and the audit name them."""
        return replace(self.key.actor, person=self.session.person)

    @property
    def organization_id(self) -> str | None:
        """Whose things are shown: the key's own organization, or the one that the address names."""
        return self.key.organization_id or self.query.get("organization") or None

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address, the last of each name."""
        return dict(self.query_pairs)

    def queries(self, name: str) -> list[str]:
        """Returns every value of a parameter."""
        return [value for one, value in self.query_pairs if one == name]

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of the form that was sent, the last of each name."""
        return dict(self.form_pairs)

    def forms(self, name: str) -> list[str]:
        """Returns every value of a field."""
        return [value for one, value in self.form_pairs if one == name]

    def may(self, scope: Scope | str) -> bool:
        """Whether this session may do what needs a scope; admin is for keys of all organizations."""
        wanted = Scope(scope)
        if wanted is Scope.ADMIN and self.key.organization_id is not None:
            return False
        return wanted in self.key.scopes

    @property
    def is_everybodys(self) -> bool:
        """Whether the key is one of all organizations."""
        return self.key.organization_id is None

    def end_sessions(self, key_id: str, session_id: UUID | None = None) -> int:
        """Ends one session of a key, or all of them; returns how many there were."""
        return self.sessions.end(key_id, session_id)

    def reading(self, seconds: float = 1.0) -> AbstractContextManager[Db]:
        """Opens a transaction that only reads, and whose statements end within so many seconds."""
        return looking(self.database, seconds)

    def uuid(self, name: str) -> UUID:
        """Returns a part of the path as a UUID; there is nothing here for what is none."""
        text = self.parts[name]
        if ID.fullmatch(text) is None:
            raise NotHere
        return UUID(text)
