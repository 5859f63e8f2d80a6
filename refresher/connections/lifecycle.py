"""What people and keys do to one connection: change, pause, resume, disable, enable, delete.

The one door of API, command line and SDK. Each deed is one transaction: the row is locked within the
doer's organization, its entity tag compared,
the change written with its event and its line in the audit.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from refresher.errors import NoSuchConnection, RefresherError
from refresher.rules.access import Doer, somebody
from refresher.rules.registration import NewConnection, read
from refresher.store import audit, connections, scoped
from refresher.store.audit import Deed
from refresher.store.events import Event, append
from refresher.store.scoped import ConnectionSeen, Versioned
from refresher.store.session import Database, Db, retrying

MOST_NAMED = 5


class Changed(RefresherError):
    """The row is not the version that the caller saw (`If-Match`)."""


class HoldsGrant(RefresherError):
    """Others use this connection's grant, so it cannot be deleted before them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants what: a doer, a connection, and the entity tags of which one must be the row's.

    `if_match` None means that any version will do.
    """

    by: Doer
    connection_id: UUID
    if_match: frozenset[str] | None = None


def whoever(program: str) -> Doer:
    """Returns who runs this process, as the audit names them: `cli:ann`, also behind sudo."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"uid{os.getuid()}"
    return somebody(program, (user == "root" and os.environ.get("SUDO_USER")) or user)


def see(database: Database, by: Doer, connection_id: UUID) -> Versioned:
    """Returns a connection that this doer may know; raises `NoSuchConnection`."""
    with database.transaction() as db:
        return _found(scoped.find(db, connection_id, by.organization_id), connection_id)


def pause(database: Database, wish: Wish) -> Versioned:
    """Leaves a connection alone until it is resumed; it keeps its tokens."""
    return _do(database, wish, "paused", lambda db, by: _stop(db, wish, "paused", by))


def disable(database: Database, wish: Wish) -> Versioned:
    """Switches a connection off until it is enabled or resumed; it keeps its tokens."""
    return _do(database, wish, "disabled", lambda db, by: _stop(db, wish, "disabled", by))


def resume(database: Database, wish: Wish) -> Versioned:
    """Ends pause, disabling and "reconnect required": due now, with the tokens it has.

    Where it waits for nothing, nothing is done, and the `note` of what is returned says so.
    """
    done: list[bool] = []

    def apply(db: Db, by: str) -> None:
        done.append(connections.resume(db, wish.connection_id, reason=by))

    after = _do(database, wish, "resumed", apply)
    if done[-1]:
        return after
    return replace(after, seen=replace(after.seen, note=connections.NOTHING_TO_RESUME))


def enable(database: Database, wish: Wish) -> Versioned:
    """Ends disabling, and nothing else: what is paused as well stays so."""

    def apply(db: Db, by: str) -> None:
        scoped.enable(db, wish.connection_id, wish.by.organization_id)
        append(db, [Event(wish.connection_id, "enabled", reason=by)])

    return _do(database, wish, "enabled", apply)


def change(database: Database, wish: Wish, given: Mapping[str, object]) -> Versioned:
    """Changes name, metadata or scopes, those that are given; raises `InvalidConnection`."""

    def apply(db: Db, seen: ConnectionSeen, by: str) -> None:
        new = _checked(seen, given)
        scoped.rewrite(
            db,
            wish.connection_id,
            wish.by.organization_id,
            name=new.name if "name" in given else seen.name,
            metadata=(new.metadata or {}) if "metadata" in given else seen.metadata,
            scopes=(new.scopes or ()) if "scopes" in given else None,
        )
        append(db, [Event(wish.connection_id, "changed", reason=by)])

    return retrying(lambda: _once(database, wish, "changed", apply))


def delete(database: Database, wish: Wish) -> ConnectionSeen:
    """Deletes a connection softly: registering it again brings it back. Returns it as it was."""

    def work() -> ConnectionSeen:
        with database.transaction() as db:
            before = _locked(db, wish).seen
            siblings = scoped.siblings(db, wish.connection_id, wish.by.organization_id)
            if siblings:
                named = ", ".join(str(sibling) for sibling in siblings[:MOST_NAMED])
                rest = len(siblings) - MOST_NAMED
                more = f" and {rest} more" if rest > 0 else ""
                raise HoldsGrant(
                    f"{before.id} holds the grant that others use; delete them first: {named}{more}"
                )
            _stop(db, wish, "deleted", wish.by.told)
            _note(db, wish.by, "deleted", before)
            return before

    return retrying(work)


def note(database: Database, by: Doer, action: str, seen: ConnectionSeen) -> None:
    """Writes a deed down that was done elsewhere, such as a refresh."""
    with database.transaction() as db:
        _note(db, by, action, seen)


def _do(database: Database, wish: Wish, action: str, apply: Callable[[Db, str], None]) -> Versioned:
    return retrying(lambda: _once(database, wish, action, lambda db, _seen, by: apply(db, by)))


def _once(
    database: Database, wish: Wish, action: str, apply: Callable[[Db, ConnectionSeen, str], None]
) -> Versioned:
    with database.transaction() as db:
        before = _locked(db, wish)
        apply(db, before.seen, wish.by.told)
        _note(db, wish.by, action, before.seen)
        after = scoped.find(db, wish.connection_id, wish.by.organization_id)
        return _found(after, wish.connection_id)


def _locked(db: Db, wish: Wish) -> Versioned:
    held = scoped.locked(db, wish.connection_id, wish.by.organization_id)
    found = _found(held, wish.connection_id)
    if wish.if_match is not None and found.etag not in wish.if_match:
        raise Changed("the connection has changed since it was read: read it again")
    return found


def _stop(db: Db, wish: Wish, how: str, by: str) -> None:
    connections.stop(db, wish.connection_id, how, reason=by)


def _note(db: Db, by: Doer, action: str, seen: ConnectionSeen) -> None:
    audit.append(db, [Deed(by.id, action, seen.organization_id, seen.id)])


def _found(versioned: Versioned | None, connection_id: UUID) -> Versioned:
    if versioned is None:
        raise NoSuchConnection(f"no connection has the id {connection_id}")
    return versioned


def _checked(seen: ConnectionSeen, given: Mapping[str, object]) -> NewConnection:
    """Returns the change, judged by the rules of `rules/intake.py` like any import."""
    names = {
        "organization_id": seen.organization_id,
        "provider": seen.provider,
        "external_id": seen.external_id,
    }
    return read({**names, **given})
