"""Who is signed in: a session in place of a key, judged anew at least once a second.

What a browser holds is 256 random bits; stored is their SHA-256, so that who reads the table cannot
use it (why no slow hash: `rules/access.py`). Revoking the key ends its sessions.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.errors import DatabaseUnavailable
from refresher.insight.watched import Lately
from refresher.rules.access import ApiKey, Refusal, Scope, standing
from refresher.rules.limits import Allowance
from refresher.runtime.services import Services
from refresher.store import api_keys, audit, web_sessions

SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
SECRET_BYTES = 32
REMEMBERED_SECONDS = 1.0
"""How long a session counts without being looked up again."""
AWAY_SECONDS = 3_600.0
"""So long a session that was good is believed while nobody can be asked: it sees what is remembered."""
MOST_REMEMBERED = 10_000
PER_SECOND = 20.0


class Over(StrEnum):
    """Why a session does not count."""

    ENDED = "ended"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    KEY_CANNOT_READ = "key_cannot_read"


@dataclass(frozen=True, slots=True)
class Session:
    """A session that counts: a stored one, or that of a person whom a proxy names (`id` None).

    `mark` tells it from every other one, and is no secret.
    """

    id: UUID | None
    mark: bytes
    read_only: bool
    ends_at: datetime | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its key, as of an instant of the database's clock."""

    session: Session
    key: ApiKey
    database_now: datetime
    looked_at: float

    @property
    def age_seconds(self) -> float:
        """How long ago it was looked up."""
        return time.monotonic() - self.looked_at

    @property
    def now(self) -> datetime:
        """The database's clock now, as far as we know."""
        return self.database_now + timedelta(seconds=self.age_seconds)


class Sessions:
    """The sessions that this process knows. Safe to use from every thread."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services, self._database = services, services.database
        self._seconds = settings.dashboard_session_seconds
        self._idle = timedelta(seconds=settings.dashboard_idle_seconds)
        self._read_only = settings.dashboard == "read_only"
        self._known: OrderedDict[bytes, SignedIn] = OrderedDict()
        self._here = Lately[bytes]()
        self._allowances: OrderedDict[bytes, Allowance] = OrderedDict()

    def remembered(self, secret: str) -> SignedIn | None:
        """Returns what is known of a session without asking Postgres; None where that is too old."""
        mark = _hash(secret)
        known = self._fresh(mark)
        if known is not None:
            self._here.note(mark)
        return known

    def find(self, secret: str) -> SignedIn | Over:
        """Returns the session that a browser shows, or why it does not count.

        Others that are here are looked up along with it. Raises `DatabaseUnavailable` where it was not
        a good one lately.
        """
        mark = _hash(secret)
        if known := self._fresh(mark):
            return known
        before = time.monotonic()
        try:
            with self._database.reading() as db:
                found = web_sessions.find(db, self._here.along(mark))
        except DatabaseUnavailable:
            return self._believed(mark)
        judged = {one.secret_hash: self._judged(one, before) for one in found}
        self._note_seen([one for one in found if isinstance(judged[one.secret_hash], SignedIn)])
        asked = judged.get(mark)
        if asked is None:
            return self._forget(mark)
        if isinstance(asked, SignedIn):
            self._here.note(mark)
        return asked

    def _judged(self, found: web_sessions.Found, before: float) -> SignedIn | Over:
        """Returns a session that was looked up then, or why it does not count."""
        mark, stored, key = found.secret_hash, found.session, found.key
        over = self._over(key, found.now, stored)
        if over is not None:
            self._forget(mark)
            return over
        session = Session(stored.id, mark, self._read_only or stored.read_only, stored.ends_at)
        return self._remember(mark, SignedIn(session, narrowed(key, session), found.now, before))

    def _note_seen(self, found: Sequence[web_sessions.Found]) -> None:
        """Writes that these are here, where that was not written for a minute."""
        rarely = timedelta(seconds=web_sessions.SEEN_SECONDS)
        for one in found:  # each by itself: another process may write them in another order
            if one.now - one.session.seen_at > rarely:
                with suppress(DatabaseUnavailable), self._database.transaction() as db:
                    web_sessions.seen(db, one.session.id)  # else later: who looks needs no write

    def of_person(self, person: str, key_id: str) -> SignedIn | Over:
        """Returns the session of a person whom a trusted proxy names, with the rights of a key."""
        mark = sha256(f"{key_id} {person}".encode()).digest()
        if known := self._fresh(mark):
            return known
        before = time.monotonic()
        try:
            with self._database.reading() as db:
                key, now = api_keys.find(db, key_id)
        except DatabaseUnavailable:
            return self._believed(mark)
        if key is None:
            return Over.KEY_REVOKED
        over = self._over(key, now)
        if over is not None:
            return over
        session = Session(None, mark, self._read_only, None, person)
        return self._remember(mark, SignedIn(session, narrowed(key, session), now, before))

    def begin(self, key: ApiKey, read_only: bool, by: str | None, before: str | None) -> str:  # noqa: FBT001
        """Begins a session of a key; returns what its browser is to hold, in place of `before`."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with self._database.transaction() as db:
            if before is not None:
                web_sessions.forget(db, _hash(before))
            web_sessions.add(
                db,
                uuid7(),
                _hash(secret),
                key_id=key.id,
                read_only=read_only,
                seconds=self._seconds,
            )
            subject = "dashboard" if by is None else f"dashboard {by}"
            entry = audit.AuditEntry(key.id, "signed_in", key.organization_id, subject=subject)
            audit.append(db, [entry])
        return secret

    def end(self, key_id: str, session_id: UUID | None) -> int:
        """Ends one session of a key, or all of them; returns how many there were."""
        with self._database.transaction() as db:
            ended = web_sessions.end(db, key_id, session_id)
        for mark, known in list(self._known.items()):
            if known.key.id == key_id and session_id in {None, known.session.id}:
                self._known.pop(mark, None)
        return ended

    def wait_seconds(self, session: Session) -> float:
        """Counts a request of this session; returns 0, or for how long it must wait."""
        now, rate = time.monotonic(), PER_SECOND / self._services.settings.web_processes
        allowance = self._allowances.pop(session.mark, None) or Allowance(
            rate, PER_SECOND, now, PER_SECOND
        )
        self._allowances[session.mark] = allowance
        _bound(self._allowances)
        return allowance.take(now)

    def _over(
        self, key: ApiKey, now: datetime, stored: web_sessions.StoredSession | None = None
    ) -> Over | None:
        """Returns why a session of this key does not count; None where it does."""
        refusal = standing(key, now)
        if refusal is Refusal.REVOKED:
            return Over.KEY_REVOKED
        if refusal is Refusal.EXPIRED:
            return Over.KEY_EXPIRED
        if Scope.READ not in key.scopes:
            return Over.KEY_CANNOT_READ
        if stored and (stored.ends_at <= now or stored.seen_at + self._idle <= now):
            return Over.ENDED
        return None

    def _fresh(self, mark: bytes) -> SignedIn | None:
        known = self._known.get(mark)
        return known if known and known.age_seconds <= REMEMBERED_SECONDS else None

    def _believed(self, mark: bytes) -> SignedIn:
        known = self._known.get(mark)
        if known is None or known.age_seconds > AWAY_SECONDS:
            raise DatabaseUnavailable("nobody can be asked whether this session still counts")
        ends_at = known.session.ends_at
        if ends_at is not None and ends_at <= known.now:
            raise DatabaseUnavailable("this session has ended while nobody could be asked")
        return known

    def _remember(self, mark: bytes, signed_in: SignedIn) -> SignedIn:
        self._known.pop(mark, None)
        self._known[mark] = signed_in
        _bound(self._known)
        return signed_in

    def _forget(self, mark: bytes) -> Over:
        self._known.pop(mark, None)
        return Over.ENDED


def narrowed(key: ApiKey, session: Session) -> ApiKey:
    """Returns the key with what counts in a session: never `token`; only looking, `read` alone."""
    counts = {Scope.READ} if session.read_only else set(key.scopes) - {Scope.TOKEN}
    return replace(key, scopes=key.scopes & counts)


def _bound(kept: OrderedDict[bytes, SignedIn] | OrderedDict[bytes, Allowance]) -> None:
    while len(kept) > MOST_REMEMBERED:
        kept.popitem(last=False)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
