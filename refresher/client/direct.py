"""Carries operations out in this process, on the database: no server in between.

The only module of the SDK that loads the store; it is imported when the direct mode is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from uuid import UUID

from refresher import intake, revocation
from refresher.apps import sync_apps
from refresher.client.values import Connection, Event, EventPage, made
from refresher.errors import Conflict, InvalidConnection, NoSuchConnection
from refresher.on_demand import OnDemand
from refresher.rules.intake import read
from refresher.settings import load
from refresher.store import connections, events
from refresher.store.connections import ConnectionView
from refresher.store.session import Db
from refresher.wiring import build

SIBLINGS_NAMED = 5


class Direct:
    """The services of the direct mode. It takes part in refreshing, so it holds a heartbeat then."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.services = build(load(**settings))
        self.on_demand = OnDemand(self.services, role="client")
        self._apps_synced = False

    def close(self) -> None:
        """Waits for refreshes under way, and gives back threads and connections."""
        self.on_demand.close()
        self.services.close()

    def register(self, given: Mapping[str, object]) -> Connection:
        """Takes a connection in, as an import does."""
        new = read(dict(given))
        if not self._apps_synced:  # as before an import: a new provider's app comes with its file
            sync_apps(self.services)
            self._apps_synced = True
        taken = intake.take(self.services, [new])
        if taken.rejected:
            raise InvalidConnection(taken.rejected[0])
        return self.get(new.id)

    def get(self, connection_id: UUID) -> Connection:
        """Returns a connection; a deleted one is none."""
        with self.services.database.transaction() as db:
            return _public(_living(db, connection_id))

    def pause(self, connection_id: UUID) -> Connection:
        """Parks a connection until it is resumed."""
        with self.services.database.transaction() as db:
            _living(db, connection_id)
            connections.stop(db, connection_id, "paused")
            return _public(_living(db, connection_id))

    def resume(self, connection_id: UUID) -> Connection:
        """Makes a connection due at once."""
        with self.services.database.transaction() as db:
            _living(db, connection_id)
            resumed = connections.resume(db, connection_id)
            found = _public(_living(db, connection_id))
        return found if resumed else replace(found, note=connections.NOTHING_TO_RESUME)

    def delete(self, connection_id: UUID, *, revoke: bool) -> None:
        """Deletes a connection softly, unless others use its grant; then gives the grant back."""
        with self.services.database.transaction() as db:
            _living(db, connection_id)
            siblings = connections.siblings(db, connection_id)
            if siblings:
                named = ", ".join(str(sibling) for sibling in siblings[:SIBLINGS_NAMED])
                raise Conflict(
                    f"{connection_id} holds the grant that others use; delete them first: {named}"
                )
            connections.stop(db, connection_id, "deleted")
        if revoke:
            revocation.revoke(self.services, connection_id, None)

    def events(self, connection_id: UUID, *, cursor: str | None, limit: int) -> EventPage:
        """Returns a page of events, the newest first; a sibling's are those of its root."""
        before = int(cursor) if cursor is not None else None
        with self.services.database.transaction() as db:
            root_id = _living(db, connection_id).root_id or connection_id
            found = events.recent(db, root_id, limit=limit, before=before)
        more = str(found[-1].id) if len(found) == limit else None
        return EventPage(tuple(made(Event, asdict(event)) for event in found), more)


def _living(db: Db, connection_id: UUID) -> ConnectionView:
    view = connections.show(db, connection_id)
    if view is None or view.deleted_at is not None:
        raise NoSuchConnection(f"there is no connection {connection_id}")
    return view


def _public(view: ConnectionView) -> Connection:
    return made(Connection, asdict(view))
