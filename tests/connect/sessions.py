"""Sessions and attempts for tests, straight into the tables."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from refresher.rules.connect import Attempt, Finish, Flow, Kind, Session, hashed
from refresher.rules.connection import Sealed, Secret
from refresher.store import connect, connect_attempts, connect_steps
from refresher.store.connect import NewSession
from refresher.store.connect_attempts import NewAttempt
from tests.world import World

ANSWER = '{"access_token": "a"}'


def make(world: World, connection_id: UUID | None = None, **given: Any) -> Session:
    """Returns a session that is stored; a reconnect where there is a connection."""
    session_id = uuid4()
    known: dict[str, Any] = {
        "id": session_id,
        "link_hash": hashed(f"link of {session_id}"),
        "kind": Kind.RECONNECT if connection_id else Kind.NEW,
        "flow": Flow.REDIRECT,
        "finish": Finish.PAGE,
        "organization_id": "org-1",
        "provider": "acme",
        "app_name": "default",
        "made_by": "by cli:ann",
        "seconds": 900.0,
        "connection_id": connection_id,
        **given,
    }
    with world.services.database.transaction() as db:
        return connect.insert(db, NewSession(**known))


def begin(world: World, session: Session, **given: Any) -> Attempt:
    """Returns an attempt that is stored."""
    id_ = uuid4()
    known: dict[str, Any] = {
        "id": id_,
        "state_hash": hashed(f"state of {id_}"),
        "session_id": session.id,
        "cookie_hash": hashed(f"cookie of {id_}"),
        "slug": session.provider,
        "redirect_uri": "https://refresher.example/connect/callback/acme",
        "code_url": "https://acme.example/token",
        **given,
    }
    with world.services.database.transaction() as db:
        return connect_attempts.begin(db, NewAttempt(**known))


def now(world: World, session: Session) -> Session:
    """Returns the session as it is stored."""
    with world.services.database.transaction() as db:
        found = connect.find(db, session.id)
    assert found is not None
    return found


def exchange(world: World, session: Session) -> Attempt:
    """Has a code of a new attempt be under way."""
    attempt = begin(world, session)
    with world.services.database.transaction() as db:
        locked = connect.locked(db, session.id)
        assert locked is not None
        assert connect_steps.enter_exchanging(db, locked, attempt)
    return attempt


def sealed(world: World, session: Session) -> Sealed:
    """Returns an answer as it is held."""
    return world.services.cipher.seal(Secret(ANSWER), session.id, "held")


def hold(world: World, session: Session, attempt: Attempt) -> bool:
    """Has the answer be held."""
    with world.services.database.transaction() as db:
        return connect_steps.hold(db, session.id, attempt.id, sealed(world, session))
