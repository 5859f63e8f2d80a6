"""API keys: made, shown once, revoked, and looked up without asking Postgres for each request.

What a key is and may do: `rules/access.py`. The command line and the web process share this module.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from refresher.errors import RefresherError
from refresher.rules.access import (
    ID_ALPHABET,
    ID_LENGTH,
    SECRET_BYTES,
    Actor,
    ApiKey,
    Presented,
    Refusal,
    Scope,
    hashed,
    judge,
    written,
)
from refresher.rules.connection import Secret
from refresher.store import api_keys, audit
from refresher.store.session import Database, Db

REMEMBERED_SECONDS = 1.5
"""How long a looked-up key counts: a revoked one is refused within this time, everywhere."""
AGEING_SECONDS = 0.5
"""After this it is looked up again while it still counts, so that nobody who is known has to wait."""
MOST_REMEMBERED = 10_000


class NoSuchKey(RefresherError):
    """No API key has this id."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only moment in which its text exists."""

    key: ApiKey
    text: Secret


def create(
    database: Database,
    *,
    name: str,
    scopes: Iterable[Scope],
    organization_id: str | None = None,
    expires_in_seconds: float | None = None,
    by: Actor,
) -> NewKey:
    """Makes a key and stores its hash. Whoever loses the text makes another one."""
    key_id = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with database.transaction() as db:
        made = api_keys.add(
            db,
            key_id,
            hashed(Secret(secret)),
            name=name,
            organization_id=organization_id,
            scopes=scopes,
            expires_in_seconds=expires_in_seconds,
        )
        _note(db, by, "key_created", made)
    return NewKey(made, written(key_id, secret))


def revoke(database: Database, key_id: str, *, by: Actor) -> ApiKey:
    """Revokes a key and its links; every process refuses it within `REMEMBERED_SECONDS`."""
    with database.transaction() as db:
        revoked = api_keys.revoke(db, key_id)
        if revoked is None:
            raise NoSuchKey(f'no API key has the id "{key_id}": `refresher keys list` shows all')
        _note(db, by, "key_revoked", revoked)
    return revoked


def _note(db: Db, by: Actor, action: str, key: ApiKey) -> None:
    audit.note(db, by, action, key.organization_id, f"key:{key.id}")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What Postgres knew of a key's id, and when; no key where there is none."""

    key: ApiKey | None
    database_now: datetime
    seen_at: float


class Keyring:
    """The keys that this process has seen lately. One for each web process.

    Ids that are none are remembered apart: whoever tries many must not push the real ones out.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: OrderedDict[str, KnownKey] = OrderedDict()
        self._none: OrderedDict[str, KnownKey] = OrderedDict()

    def knows(self, key_id: str) -> bool:
        """Whether this was the id of a key when it was last looked up here."""
        return key_id in self._keys

    def remembered(self, shown: Presented) -> ApiKey | Refusal | None:
        """Returns what is known of a key without asking Postgres; None when that is too old."""
        seen = self._seen(shown.id)
        if seen is None or time.monotonic() - seen.seen_at > REMEMBERED_SECONDS:
            return None
        return self.judged(seen, shown)

    def is_ageing(self, key_id: str) -> bool:
        """Whether a key should be looked up again soon."""
        seen = self._seen(key_id)
        return seen is None or time.monotonic() - seen.seen_at > AGEING_SECONDS

    @staticmethod
    def judged(seen: KnownKey, shown: Presented) -> ApiKey | Refusal:
        """Returns the key when what is shown is it, else why not."""
        age = time.monotonic() - seen.seen_at
        return judge(seen.key, shown.secret, seen.database_now + timedelta(seconds=age))

    def look_up(self, shown: Presented) -> KnownKey:
        """Asks Postgres, and remembers; raises `DatabaseUnavailable`."""
        before = time.monotonic()
        with self._database.reading() as db:
            stored, now = api_keys.find(db, shown.id)
        seen = KnownKey(stored, now, before)
        verdict = self.judged(seen, shown)
        if isinstance(verdict, ApiKey) and _is_news(verdict.last_used_at, now):
            with self._database.transaction() as db:
                api_keys.used(db, verdict.id)
        self._remember(shown.id, seen)
        return seen

    def _remember(self, key_id: str, seen: KnownKey) -> None:
        for kept, is_here in ((self._keys, seen.key is not None), (self._none, seen.key is None)):
            kept.pop(key_id, None)
            if is_here:
                kept[key_id] = seen
            while len(kept) > MOST_REMEMBERED:
                kept.popitem(last=False)

    def _seen(self, key_id: str) -> KnownKey | None:
        return self._keys.get(key_id) or self._none.get(key_id)


def _is_news(last_used_at: datetime | None, now: datetime) -> bool:
    return (
        last_used_at is None or (now - last_used_at).total_seconds() >= api_keys.LAST_USED_SECONDS
    )
