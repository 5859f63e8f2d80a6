"""Carries operations out in this process, on the database: no server in between.

The only module of the SDK that loads the store; it is imported when the direct mode is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from refresher.client import calls
from refresher.client.calls import Page
from refresher.client.direct_apps import DirectApps
from refresher.client.direct_bulk import DirectBulk
from refresher.client.direct_webhooks import DirectWebhooks
from refresher.client.looking import Rights, cursor_of, place_of
from refresher.client.operations import Deed
from refresher.client.values import Connection, Event, made
from refresher.connections import connect, lifecycle, registration, resume_links, revocation
from refresher.connections.discovered import with_provider
from refresher.connections.oauth_apps import sync_apps
from refresher.errors import ApiError, InvalidConnection
from refresher.refresh.on_demand import OnDemand
from refresher.rules.access import Scope
from refresher.rules.connect import Finish, Flow, State
from refresher.rules.connect_view import view
from refresher.rules.connection import ParkReason
from refresher.rules.history import STATES
from refresher.rules.registration import read
from refresher.rules.standing_word import Health
from refresher.runtime.services import build
from refresher.runtime.whoever import whoever
from refresher.settings import load
from refresher.store import connections, events, finding, lists
from refresher.store.connect import SessionFilter
from refresher.store.connections import Versioned
from refresher.store.finding import Unsearchable
from refresher.store.lists import Chosen

MOST_OPENED = 50
_DEEDS: Mapping[Deed, Callable[..., Versioned]] = {
    "pause": lifecycle.pause,
    "resume": lifecycle.resume,
    "disable": lifecycle.disable,
    "enable": lifecycle.enable,
}
_WORDS: Mapping[str, Collection[str]] = {
    "health": [word.value for word in Health],
    "state": STATES,
    "reason": [reason.value for reason in ParkReason],
}
"""Filters that have words of their own."""


class Direct:
    """The services of the direct mode. It takes part in refreshing, so it holds a heartbeat then."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.services = build(load(**settings))
        self.on_demand = OnDemand(self.services, role="client")
        self._apps_synced = False
        self._by = whoever("sdk")
        self.webhooks = DirectWebhooks(self.services, self._by)
        self.apps = DirectApps(self.services, self._by)
        self.bulk = DirectBulk(self.services, self._by)

    def close(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        self.on_demand.close()
        self.webhooks.close()
        self.services.close()

    def register(self, given: Mapping[str, object]) -> Connection:
        """Takes a connection in, as an import does."""
        new = read(dict(given))
        self._sync_apps()
        taken = registration.take(self.services, [new], self._by)
        if taken.rejected:
            raise InvalidConnection(taken.rejected[0])
        return self.get(new.id)

    def get(self, connection_id: UUID) -> Connection:
        """Returns a connection; a deleted one is none."""
        return _public(lifecycle.find(self.services.database, self._by, connection_id))

    def steer(self, connection_id: UUID, deed: Deed) -> Connection:
        """Does what the API does by the same name."""
        return _public(_DEEDS[deed](self.services.database, self._by, connection_id))

    def change(self, connection_id: UUID, given: Mapping[str, object]) -> Connection:
        """Changes name, metadata or scopes."""
        changed = lifecycle.change(self.services.database, self._by, connection_id, given)
        return _public(changed)

    def delete(self, connection_id: UUID, *, revoke: bool) -> None:
        """Deletes a connection softly, unless others use its grant; then gives the grant back."""
        lifecycle.delete(self.services.database, self._by, connection_id)
        if revoke:
            revocation.revoke(self.services, connection_id, None)

    def events(self, connection_id: UUID, *, cursor: str | None) -> Page[Event]:
        """Returns a page of events, the newest first; a sibling's are those of its root."""
        before = int(cursor) if cursor is not None else None
        seen = lifecycle.find(self.services.database, self._by, connection_id).seen
        with self.services.database.transaction() as db:
            root_id = seen.root_id or connection_id
            found = events.recent(db, root_id, limit=calls.PAGE, before=before)
        more = str(found[-1].id) if len(found) == calls.PAGE else None
        return Page(tuple(made(Event, asdict(event)) for event in found), more)

    def connections(self, asked: Mapping[str, Any], *, cursor: str | None) -> Page[Connection]:
        """Returns a page of connections."""
        wanted = _chosen(asked)
        with self.services.database.transaction() as db:
            found = lists.ids(db, wanted, after=place_of(cursor), limit=calls.PAGE)
            shown = connections.of(db, found.ids, None)
        items = tuple(made(Connection, asdict(one)) for one in shown)
        return Page(items, cursor_of(found.after) if found.after else None)

    def find(self, text: str, organization_id: str | None) -> tuple[Connection, ...]:
        """Returns those that a text may mean, the exact one first."""
        with self.services.database.transaction() as db:
            try:
                found = finding.search(db, text, organization_id, limit=calls.PAGE)
            except Unsearchable as error:
                raise _wrong(f"find: {error}") from None
            shown = connections.of(db, [row.id for row in found.rows], organization_id)
        return tuple(made(Connection, asdict(one)) for one in shown)

    def resume_link(
        self, connection_id: UUID, *, seconds: float, replaces_tokens: bool
    ) -> dict[str, object]:
        """Makes a link."""
        link = resume_links.make_link(
            self.services,
            connection_id,
            seconds=seconds,
            by=self._by,
            replaces_tokens=replaces_tokens,
        )
        return asdict(link)

    def resume_links(self, connection_id: UUID) -> list[dict[str, object]]:
        """Returns the links of a connection."""
        found = resume_links.open_links(self.services.database, connection_id, self._by)
        return [asdict(one) for one in found]

    def withdraw_link(self, connection_id: UUID, link_id: UUID) -> dict[str, object]:
        """Withdraws a link."""
        database = self.services.database
        return asdict(resume_links.withdraw_link(database, connection_id, link_id, self._by))

    @staticmethod
    def rights() -> Rights:
        """Whoever has the database and its keys may do everything."""
        return Rights(None, frozenset(Scope))

    def connect_begin(self, body: Mapping[str, object]) -> dict[str, object]:
        """Makes a connect session, and returns what the API answers to it."""
        self._sync_apps()
        known: Any = with_provider(self.services, body, self._by)
        for name, kind in (("connection_id", UUID), ("flow", Flow), ("finish", Finish)):
            if name in known:
                known[name] = kind(known[name])
        made = connect.make(self.services, connect.Order(**known), self._by)
        return {**asdict(view(made.session)), "url": made.url}

    def connect_status(self, session_id: UUID) -> dict[str, object]:
        """Returns how a connect session stands."""
        return asdict(view(connect.find(self.services, session_id, self._by)))

    def connect_opened(self, connection_id: UUID) -> list[dict[str, object]]:
        """Returns the sessions of a connection that are open."""
        chosen = SessionFilter(state=State.OPEN, connection_id=connection_id)
        found = connect.listed(self.services, chosen, self._by, before=None, limit=MOST_OPENED)
        return [asdict(view(one)) for one in found]

    def connect_complete(self, session_id: UUID, code: str, verifier: str) -> dict[str, object]:
        """Gives the application's word, and carries it out."""
        return asdict(view(connect.complete(self.services, session_id, code, verifier, self._by)))

    def connect_cancel(self, session_id: UUID) -> dict[str, object]:
        """Ends a connect session."""
        return asdict(view(connect.cancel(self.services, session_id, self._by)))

    def _sync_apps(self) -> None:
        """As before an import: a new provider's app comes with its file."""
        if not self._apps_synced:
            sync_apps(self.services)
            self._apps_synced = True


def _public(versioned: Versioned) -> Connection:
    return made(Connection, asdict(versioned.seen))


def _chosen(asked: Mapping[str, Any]) -> Chosen:
    for name, words in _WORDS.items():
        if name in asked and asked[name] not in words:
            raise _wrong(f"{name}: it is one of {', '.join(words)}")
    given = {"slots": False, **asked}
    if "health" in given:
        given["health"] = Health(given["health"])
    given["parked_reason"] = given.pop("reason", None)
    return Chosen(**given)


def _wrong(sentence: str) -> ApiError:
    """Returns what the API tells of a wrong filter."""
    return ApiError(sentence, status=400, code="invalid_query")
