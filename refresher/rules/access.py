"""What an API key is and what it may do: pure, tested as tables.

A key reads `rfr_<id>_<secret>`. The id is public: it stands in events and logs. The secret is 256 bits
of the operating system's randomness, so a plain SHA-256 of it is stored: a slow, salted hash protects
secrets that people choose, from guessing; nobody guesses 2^256, and a slow hash would only cost each
request. (OWASP's password storage advice is about passwords for the same reason.)
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from refresher.rules.connection import Secret

KEY = re.compile(r"rfr_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
ID_LENGTH = 12
SECRET_BYTES = 32
MOST_OF_A_NAME = 64


class Scope(StrEnum):
    """What a key may do. None of them implies another."""

    READ = "read"
    TOKEN = "token"
    WRITE = "write"
    CONNECT = "connect"
    ADMIN = "admin"


class Refusal(StrEnum):
    """Why a key is not taken."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as events and the audit name them: a key's id, or `cli:ann`.

    `organization_id` None may act for every organization. `person`: who it is, where several share a
    key and a proxy tells them apart.
    """

    id: str
    organization_id: str | None = None
    person: str | None = None

    @property
    def key_id(self) -> str | None:
        """The API key's id, where it is one that acts."""
        return None if ":" in self.id else self.id

    @property
    def told(self) -> str:
        """Who it was, as the end of a sentence."""
        person = "" if self.person is None else f", {self.person}"
        return f"by {self.id}" if self.key_id is None else f"by API key {self.id}{person}"

    def about(self, subject: str | None = None) -> str | None:
        """Returns the `subject` of an entry of the audit: what it is about, and which person it was."""
        if self.person is None:
            return subject
        return f"by {self.person}" if subject is None else f"{subject}, by {self.person}"


def somebody(program: str, user: str) -> Actor:
    """Returns who acts without a key: `cli:ann` for a person on the command line."""
    name = "".join(c for c in user if c.isprintable() and c not in ": ")[:MOST_OF_A_NAME]
    return Actor(f"{program}:{name or 'unknown'}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored: never the secret. `organization_id` None means every organization."""

    id: str
    name: str
    organization_id: str | None
    scopes: frozenset[Scope]
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    @property
    def actor(self) -> Actor:
        """Who acts with it."""
        return Actor(self.id, self.organization_id)


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as somebody shows it."""

    id: str
    secret: Secret


def presented(text: str) -> Presented | None:
    """Returns the two parts of a key, None for what is none."""
    match = KEY.fullmatch(text)
    return Presented(match[1], Secret(match[2])) if match else None


def written(key_id: str, secret: str) -> Secret:
    """Returns the whole key as its owner is shown it, once."""
    return Secret(f"rfr_{key_id}_{secret}")


def hashed(secret: Secret) -> bytes:
    """Returns what is stored in place of a key's secret."""
    return sha256(secret.reveal().encode()).digest()


def judge(stored: ApiKey | None, secret: Secret, now: datetime) -> ApiKey | Refusal:
    """Returns the key when the secret is its own and it still counts, else why not.

    The hashes are compared in constant time. Whether a key is expired or revoked is told only to who
    knows its secret.
    """
    if stored is None or not hmac.compare_digest(hashed(secret), stored.secret_hash):
        return Refusal.UNKNOWN
    return standing(stored, now) or stored


def standing(stored: ApiKey, now: datetime) -> Refusal | None:
    """Returns why a key does not count any more; None where it does."""
    if stored.revoked_at is not None:
        return Refusal.REVOKED
    if stored.expires_at is not None and stored.expires_at <= now:
        return Refusal.EXPIRED
    return None
