"""Carries operations out in this process, on the database: no server in between.

The only module of the SDK that loads the store; it is imported when the direct mode is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from refresher.client.looking import ConnectionPage, Rights, cursor_of, place_of
from refresher.client.values import Connection, Event, EventPage, made
from refresher.connections import connect, lifecycle, registration, revocation
from refresher.connections.discovered import with_provider
from refresher.connections.oauth_apps import sync_apps
from refresher.errors import InvalidConnection
from refresher.refresh.on_demand import OnDemand
from refresher.rules.access import Scope
from refresher.rules.connect import Finish, Flow, State
from refresher.rules.connect_view import view
from refresher.rules.registration import read
from refresher.rules.standing_word import Health
from refresher.runtime.services import build
from refresher.settings import load
from refresher.store import connections, events, lists
from refresher.store.connect import SessionFilter
from refresher.store.connections import Versioned
from refresher.store.lists import Chosen

MOST_OPENED = 50


class Direct:
    """The services of the direct mode. It takes part in refreshing, so it holds a heartbeat then."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.services = build(load(**settings))
        self.on_demand = OnDemand(self.services, role="client")
        self._apps_synced = False
        self._by = lifecycle.whoever("sdk")

    def close(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        self.on_demand.close()
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

    def pause(self, connection_id: UUID) -> Connection:
        """Parks a connection until it is resumed."""
        return _public(lifecycle.pause(self.services.database, self._by, connection_id))

    def resume(self, connection_id: UUID) -> Connection:
        """Makes a connection due at once."""
        return _public(lifecycle.resume(self.services.database, self._by, connection_id))

    def delete(self, connection_id: UUID, *, revoke: bool) -> None:
        """Deletes a connection softly, unless others use its grant; then gives the grant back."""
        lifecycle.delete(self.services.database, self._by, connection_id)
        if revoke:
            revocation.revoke(self.services, connection_id, None)

    def events(self, connection_id: UUID, *, cursor: str | None, limit: int) -> EventPage:
        """Returns a page of events, the newest first; a sibling's are those of its root."""
        before = int(cursor) if cursor is not None else None
        seen = lifecycle.find(self.services.database, self._by, connection_id).seen
        with self.services.database.transaction() as db:
            root_id = seen.root_id or connection_id
            found = events.recent(db, root_id, limit=limit, before=before)
        more = str(found[-1].id) if len(found) == limit else None
        return EventPage(tuple(made(Event, asdict(event)) for event in found), more)

    def connections(
        self, chosen: Mapping[str, str], *, cursor: str | None, limit: int
    ) -> ConnectionPage:
        """Returns a page of connections."""
        given: dict[str, Any] = {**chosen}
        if "health" in given:
            given["health"] = Health(given["health"])
        wanted = Chosen(**given, slots=False)
        with self.services.database.transaction() as db:
            found = lists.ids(db, wanted, after=place_of(cursor), limit=limit)
            shown = connections.of(db, found.ids, None)
        items = tuple(made(Connection, asdict(one)) for one in shown)
        return ConnectionPage(items, cursor_of(found.after) if found.after else None)

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
