"""Connections: register, list, look, change, steer, delete. No token leaves here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from refresher.connections import lifecycle, registration
from refresher.connections.revocation import revoke
from refresher.errors import InvalidConnection
from refresher.rules.access import ApiKey
from refresher.rules.registration import read
from refresher.runtime.services import Services
from refresher.store import connections
from refresher.store.connections import ConnectionSeen, Filter, Versioned
from refresher.store.events import page as past_events
from refresher.web import cursors
from refresher.web.call import Answer, Call
from refresher.web.problems import Problem
from refresher.web.queries import ConnectionQuery, DeleteQuery, PageQuery
from refresher.web.state import State


def register(state: State, call: Call) -> Answer:
    """Stores a connection, new or known, and answers it without its tokens."""
    new = read(_completed(call))
    services = state.services
    by, most = call.key.actor, services.settings.quota_connections
    taken = registration.take(services, [new], by, most=most)
    if taken.rejected:
        raise InvalidConnection(taken.rejected[0])
    versioned = lifecycle.find(services.database, by, new.id)
    return _shown(versioned, 201 if taken.created else 200)


def list_(state: State, call: Call) -> Answer:
    """Lists connections, ordered by organization, provider and external id."""
    query: ConnectionQuery = call.query
    chosen = Filter(
        organization_id=query.organization_id,
        provider=query.provider,
        state=query.state,
        parked_reason=query.reason,
        external_id=query.external_id,
    )
    place = cursors.read(chosen, query.cursor, [str, str, str])
    after = (str(place[0]), str(place[1]), str(place[2])) if place else None
    with state.services.database.transaction() as db:
        found = connections.page(
            db, chosen, call.key.organization_id, after=after, limit=query.limit + 1
        )
    items = found[: query.limit]
    last = items[-1] if len(found) > query.limit else None
    following = last and [last.organization_id, last.provider, last.external_id]
    cursor = cursors.write(chosen, following) if following else None
    return Answer({"items": items, "next_cursor": cursor})


def show(state: State, call: Call) -> Answer:
    """Shows one connection."""
    return _shown(lifecycle.find(state.services.database, call.key.actor, call.connection_id))


def change(state: State, call: Call) -> Answer:
    """Changes name, metadata or scopes."""
    given = {name: call.raw_body[name] for name in call.body.model_fields_set}
    database, by = state.services.database, call.key.actor
    return _shown(lifecycle.change(database, by, call.connection_id, given, call.if_match))


def delete(state: State, call: Call) -> Answer:
    """Deletes a connection, and on request asks its provider to end the grant."""
    query: DeleteQuery = call.query
    database, by = state.services.database, call.key.actor
    gone = lifecycle.delete(database, by, call.connection_id, call.if_match)
    revocation = None
    if query.revoke:
        revocation = _revoked(state.services, gone, call.key)
    return Answer({"id": call.connection_id, "deleted": True, "revocation": revocation})


def steer(work: Callable[..., Versioned]) -> Callable[[State, Call], Answer]:
    """Returns the handler of one change of state."""

    def handler(state: State, call: Call) -> Answer:
        database, by = state.services.database, call.key.actor
        return _shown(work(database, by, call.connection_id, call.if_match))

    return handler


def events(state: State, call: Call) -> Answer:
    """Lists what happened to a connection, the newest first."""
    query: PageQuery = call.query
    place = cursors.read(call.connection_id, query.cursor, [int])
    before = int(place[0]) if place else None
    lifecycle.find(state.services.database, call.key.actor, call.connection_id)
    with state.services.database.transaction() as db:
        found = past_events(
            db, call.connection_id, call.key.organization_id, before=before, limit=query.limit + 1
        )
    items = found[: query.limit]
    more = len(found) > query.limit
    cursor = cursors.write(call.connection_id, [items[-1].id]) if more else None
    return Answer({"items": items, "next_cursor": cursor})


def _completed(call: Call) -> dict[str, object]:
    """Returns the import line, with the key's organization where it names none."""
    given, own = dict(call.raw_body), call.key.organization_id
    if given.get("organization_id") is None and own is not None:
        given["organization_id"] = own
    if own is not None and given["organization_id"] != own:
        raise Problem(
            "organization_mismatch", "organization_id is not the one that the API key belongs to"
        )
    return given


def _revoked(services: Services, gone: ConnectionSeen, key: ApiKey) -> dict[str, object]:
    result = revoke(services, gone.id, key.organization_id)
    return asdict(result)


def _shown(versioned: Versioned, status: int = 200) -> Answer:
    return Answer(versioned.seen, status, etag=versioned.etag)
