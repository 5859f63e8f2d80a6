"""Links that sign somebody in to the dashboard once, for whoever has the database at hand anyway.

Their sessions have the rights of one key that is made for it, with every scope but `token`. Nobody has
its text, not even whoever made the link. Revoking it ends those sessions; the next link makes another.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

from uuid_utils.compat import uuid7

from refresher.connections import api_keys
from refresher.rules.access import Actor, ApiKey, Scope, standing
from refresher.store import api_keys as stored_keys
from refresher.store import audit, web_sessions
from refresher.store.session import Database

PATH = "/ui/sign-in/link/"
LINK_SECONDS = 600.0
SECRET_BYTES = 32
KEY_NAME = "dashboard links"
SCOPES = frozenset(Scope) - {Scope.TOKEN}


def make(database: Database, by: Actor) -> str:
    """Makes a link; returns its path, which is a secret until it is used."""
    key = _key(database, by)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with database.transaction() as db:
        web_sessions.add(
            db, uuid7(), _hash(secret), key_id=key.id, read_only=False, seconds=LINK_SECONDS,
            is_link=True,
        )  # fmt: skip
        audit.note(db, by, "dashboard_link_made", subject=f"key:{key.id}")
    return f"{PATH}{secret}"


def spend(database: Database, secret: str) -> ApiKey | None:
    """Takes a link away, and returns the key of its session; None where it is none any more."""
    with database.transaction() as db:
        key_id = web_sessions.spend(db, _hash(secret))
        if key_id is None:
            return None
        key, now = stored_keys.find(db, key_id)
    return key if key is not None and standing(key, now) is None else None


def _key(database: Database, by: Actor) -> ApiKey:
    with database.transaction() as db:
        every = stored_keys.every(db)
    ours = [key for key in every if _is_ours(key)]
    if ours:
        return ours[0]
    return api_keys.create(database, name=KEY_NAME, scopes=SCOPES, by=by).key


def _is_ours(key: ApiKey) -> bool:
    """Whether it is the key that an earlier link made: another of that name has other scopes."""
    alive = key.revoked_at is None and key.expires_at is None
    return key.name == KEY_NAME and key.scopes == SCOPES and alive and key.organization_id is None


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
