"""What people and keys do to one connection: change, pause, resume, disable, enable, delete.

The one door of API, command line and SDK. Each change is one transaction: the row is locked within the
actor's organization, its entity tag compared, the change written with its event and its audit entry.
What is done to a connection is done to its slots; what is done to a slot, to it alone.
With `if_match`, the entity tag must be one of these; None means that any version will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID

from refresher.errors import Conflict, NoSuchConnection, RefresherError
from refresher.rules.access import Actor
from refresher.rules.registration import read
from refresher.store import audit, connections, lookup, state_changes
from refresher.store.audit import AuditEntry
from refresher.store.connections import ConnectionView, Versioned
from refresher.store.events import Event, append
from refresher.store.session import Database, Db, retrying

MOST_NAMED = 5
Tags = frozenset[str] | None


class Changed(RefresherError):
    """The row is not the version that the caller saw (`If-Match`)."""


class HoldsGrant(Conflict):
    """Others use this connection's grant, so it cannot be deleted before them."""

    exit_code = 1


def find(database: Database, by: Actor, connection_id: UUID) -> Versioned:
    """Returns a connection that this actor may know; raises `NoSuchConnection`."""
    with database.transaction() as db:
        return _found(connections.find(db, connection_id, by.organization_id), connection_id)


def pause(database: Database, by: Actor, connection_id: UUID, if_match: Tags = None) -> Versioned:
    """Leaves a connection alone until it is resumed; it keeps its tokens."""
    return _do(database, by, connection_id, if_match, "paused", _stopping("paused", by))


def disable(database: Database, by: Actor, connection_id: UUID, if_match: Tags = None) -> Versioned:
    """Switches a connection off until it is enabled or resumed; it keeps its tokens."""
    return _do(database, by, connection_id, if_match, "disabled", _stopping("disabled", by))


def resume(database: Database, by: Actor, connection_id: UUID, if_match: Tags = None) -> Versioned:
    """Ends pause, disabling and "reconnect required": due now, with the tokens it has.

    Where it waits for nothing, nothing is done, and the `note` of what is returned says so.
    """
    done: list[bool] = []

    def apply(db: Db, seen: ConnectionView) -> None:
        # Each of them, whatever the others wait for.
        resumed = [state_changes.resume(db, id_, reason=by.told) for id_ in _whole(db, seen)]
        done.append(any(resumed))

    after = _do(database, by, connection_id, if_match, "resumed", apply)
    if done[-1]:
        return after
    return replace(after, seen=replace(after.seen, note=state_changes.NOTHING_TO_RESUME))


def enable(database: Database, by: Actor, connection_id: UUID, if_match: Tags = None) -> Versioned:
    """Ends disabling, and nothing else: what is paused as well stays so."""

    def apply(db: Db, seen: ConnectionView) -> None:
        for id_ in _whole(db, seen):
            state_changes.enable(db, id_)
            append(db, [Event(id_, "enabled", reason=by.told)])

    return _do(database, by, connection_id, if_match, "enabled", apply)


def change(
    database: Database,
    by: Actor,
    connection_id: UUID,
    given: Mapping[str, object],
    if_match: Tags = None,
) -> Versioned:
    """Changes name, metadata or scopes, those that are given; raises `InvalidConnection`.

    They are judged by the rules of `rules/registration.py`, like any import's.
    """

    def apply(db: Db, seen: ConnectionView) -> None:
        names = {n: getattr(seen, n) for n in ("organization_id", "provider", "external_id")}
        new = read({**names, **given})
        state_changes.rewrite(
            db,
            seen.id,
            by.organization_id,
            name=new.name if "name" in given else seen.name,
            metadata=(new.metadata or {}) if "metadata" in given else seen.metadata,
            scopes=(new.scopes or ()) if "scopes" in given else None,
        )
        append(db, [Event(seen.id, "changed", reason=by.told)])

    return _do(database, by, connection_id, if_match, "changed", apply)


def delete(
    database: Database, by: Actor, connection_id: UUID, if_match: Tags = None
) -> ConnectionView:
    """Deletes a connection softly: registering it again brings it back. Returns it as it was.

    Raises `HoldsGrant` while others use its grant.
    """

    def work() -> ConnectionView:
        with database.transaction() as db:
            before = _locked(db, by, connection_id, if_match).seen
            _check_root(db, before)
            _stopping("deleted", by)(db, before)
            _note(db, by, "deleted", before)
            return before

    return retrying(work)


def check_delete(database: Database, by: Actor, connection_id: UUID) -> None:
    """Raises what `delete` would raise, for a person who is asked before it is done."""
    with database.transaction() as db:
        _check_root(db, _locked(db, by, connection_id, None).seen)


def note(database: Database, by: Actor, action: str, seen: ConnectionView) -> None:
    """Writes down what was done elsewhere, such as a refresh."""
    with database.transaction() as db:
        _note(db, by, action, seen)


def _do(
    database: Database,
    by: Actor,
    connection_id: UUID,
    if_match: Tags,
    action: str,
    apply: Callable[[Db, ConnectionView], None],
) -> Versioned:
    def work() -> Versioned:
        with database.transaction() as db:
            before = _locked(db, by, connection_id, if_match).seen
            apply(db, before)
            _note(db, by, action, before)
            return _found(connections.find(db, connection_id, by.organization_id), connection_id)

    return retrying(work)


def _locked(db: Db, by: Actor, connection_id: UUID, if_match: Tags) -> Versioned:
    found = _found(connections.locked(db, connection_id, by.organization_id), connection_id)
    if if_match is not None and found.etag not in if_match:
        raise Changed("the connection has changed since it was read: read it again")
    return found


def _check_root(db: Db, seen: ConnectionView) -> None:
    siblings = lookup.siblings(db, seen.id)
    if siblings:
        named = ", ".join(str(sibling) for sibling in siblings[:MOST_NAMED])
        rest = len(siblings) - MOST_NAMED
        more = f" and {rest} more" if rest > 0 else ""
        raise HoldsGrant(
            f"{seen.id} holds the grant that others use; delete them first: {named}{more}"
        )


def _stopping(how: str, by: Actor) -> Callable[[Db, ConnectionView], None]:
    def apply(db: Db, seen: ConnectionView) -> None:
        for id_ in _whole(db, seen):
            state_changes.stop(db, id_, how, reason=by.told)

    return apply


def _whole(db: Db, seen: ConnectionView) -> list[UUID]:
    """Returns the connection and its slots, which go where it goes, in the order of their ids."""
    return sorted([seen.id, *([] if seen.root_id else lookup.slots(db, seen.id))])


def _note(db: Db, by: Actor, action: str, seen: ConnectionView) -> None:
    audit.append(db, [AuditEntry(by.id, action, seen.organization_id, seen.id, by.about())])


def _found(versioned: Versioned | None, connection_id: UUID) -> Versioned:
    if versioned is None:
        raise NoSuchConnection(f"no connection has the id {connection_id}")
    return versioned
