"""The values of a consent: a session, its attempts, and what became of them. Pure.

A connect session is the permission to connect one account once; an attempt is one way to the provider
and back. How they follow each other: docs/consents.md. What a start and a callback come to is decided
in `connect_steps.py`; how they are stored: `store/connect.py`, `store/connect_attempts.py`.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from refresher.rules.connection import Sealed

PATH = "/connect/"
"""What a link begins with, behind our public URL."""
SECRET_BYTES = 32
"""Of a link, a state, a cookie and a one-time code each: 43 characters of base64url."""
MOST_ATTEMPTS = 10
ATTEMPT_SECONDS = 900.0
EXCHANGE_SECONDS = 60.0
"""How long a code that was sent may be under way, and hold refreshes of its connection back."""
HELD_SECONDS = 600.0
"""How long an answer waits, sealed, to become a connection."""
MOST_SENTENCE = 400
MOST_SHOWN = 80


class Kind(StrEnum):
    """Whether the account is a new one or that of a connection that exists."""

    NEW = "new"
    RECONNECT = "reconnect"


class Flow(StrEnum):
    """Whether the person is in the application now, or gets the link some other way."""

    REDIRECT = "redirect"
    LINK = "link"


class Finish(StrEnum):
    """Who has the last word: our page, which says for whom, or the application."""

    PAGE = "page"
    APPLICATION = "application"


class State(StrEnum):
    """Where a session stands."""

    OPEN = "open"
    EXCHANGING = "exchanging"
    HELD = "held"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a session ended."""

    CONNECTED = "connected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Problem(StrEnum):
    """Why an attempt, or the session, did not come to a connection: the API's code, and the page."""

    DENIED = "denied"
    """the person did not allow it"""
    CONSENT_NEEDED = "consent_needed"
    """the provider wants the person to be asked again"""
    PROVIDER_TROUBLE = "provider_trouble"
    """the provider said that it has trouble, or something that nobody knows"""
    APP_WRONG = "app_wrong"
    """the app is not set up at the provider as it is here"""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """the code was sent, and no answer came that could be read"""
    REFUSED_CODE = "refused_code"
    """the token endpoint refused the code"""
    WRONG_ACCOUNT = "wrong_account"
    """another account than the connection's"""
    ACCOUNT_UNKNOWN = "account_unknown"
    """the provider did not tell whose account it is"""
    SCOPE_MISSING = "scope_missing"
    """a scope was not granted that is required"""
    NO_REFRESH_TOKEN = "no_refresh_token"
    """access was given for a while only"""
    WRONG_ISSUER = "wrong_issuer"
    """another authorization server answered than the one that was asked"""
    WRONG_HOST = "wrong_host"
    """the provider named a host that is none of its own"""
    BAD_CALLBACK = "bad_callback"
    """the callback cannot be understood: a parameter came twice, too much of it, or no code"""
    OTHER_BROWSER = "other_browser"
    """the callback came to another browser than the one that left"""
    EXPIRED = "expired"
    """its time was over"""
    RIGHT_ENDED = "right_ended"
    """the key, the connection, the return URL or the organization that it was made for is gone"""
    NOT_CONFIRMED = "not_confirmed"
    """the application did not confirm it in time"""
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    """it was begun ten times"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it did not work: a code, a sentence for developers, and what its page shows.

    Neither holds a secret. `detail`: such as the scopes that are missing, or the masked label.
    """

    code: Problem
    sentence: str
    detail: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a session came to, as far as it may be told: no token.

    `account` is the provider's own id of whoever consented, None where nobody tells; `account_label`
    what people call it. `account_learned`: nobody knew it before; `account_changed`: it is another one
    than before, which whoever made the session had allowed. `also_connected_as`: the ids of the
    organization's other connections of this account, for two of them may spoil each other's grant.
    """

    account: str | None = None
    account_label: str | None = None
    granted_scopes: Sequence[str] = ()
    missing_scopes: Sequence[str] = ()
    account_learned: bool = False
    account_changed: bool = False
    also_connected_as: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A row of `connect_session`. What could open it, or is sealed in it, is not in the `repr`.

    `connection_id` is known for a reconnect, and wherever `external_id` is; for a new connection there
    is no row of that id yet. `host`, `placeholders`: the connection's; `parameters`: of the authorize
    URL. `attempt_id` is the attempt whose code was sent last. `guard_set`: we hold back refreshes of
    the connection, until `exchange_until`. `result`: what is told of what came. `ready_at`: judged,
    and only the application's word is missing.
    """

    id: UUID
    kind: Kind
    flow: Flow
    finish: Finish
    state: State
    organization_id: str
    provider: str
    app_name: str
    external_id: str | None
    connection_id: UUID | None
    host: str | None
    placeholders: Mapping[str, str] = field(hash=False)
    parameters: Mapping[str, str] = field(hash=False)
    scopes: Sequence[str]
    required_scopes: Sequence[str]
    account_hint: str | None
    return_url: str | None
    for_whom: str | None
    leave_in_between_steps: bool
    allow_account_change: bool
    made_by: str
    key_id: str | None
    outcome: Outcome | None
    trouble: Trouble | None
    attempts: int
    attempt_id: UUID | None
    created_at: datetime
    opened_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None
    link_hash: bytes = field(repr=False)
    finish_challenge: str | None = field(default=None, repr=False)
    finish_code_hash: bytes | None = field(default=None, repr=False)
    finish_code_until: datetime | None = None
    ready_at: datetime | None = None
    confirmed_at: datetime | None = None
    held: Sealed | None = field(default=None, repr=False)
    held_until: datetime | None = None
    guard_set: bool = False
    exchange_until: datetime | None = None
    result: Result | None = None

    @property
    def maker(self) -> str:
        """In whose name it is written down what people do with its link: they have none here."""
        return self.key_id or self.made_by.removeprefix("by ")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `connect_attempt`: hashes of what only the browser has, and what the answer must fit.

    The verifier is sealed (owner: this id, column `verifier`); `code_url` is where the code goes,
    whatever the callback says. `host` is that of this attempt, `scopes` are those it asked for.
    """

    id: UUID
    state_hash: bytes = field(repr=False)
    session_id: UUID
    cookie_hash: bytes = field(repr=False)
    slug: str
    redirect_uri: str
    code_url: str
    begun_at: datetime
    expires_at: datetime
    issuer: str | None = None
    host: str | None = None
    scopes: Sequence[str] = ()
    verifier: Sealed | None = field(default=None, repr=False)
    nonce_hash: bytes | None = field(default=None, repr=False)
    spent_at: datetime | None = None
    trouble: Trouble | None = None


def hashed(text: str) -> bytes:
    """Returns what is stored in place of a link, state, cookie, nonce or one-time code (C1, C4)."""
    return sha256(text.encode()).digest()


def is_of(text: str, stored: bytes | None) -> bool:
    """Whether `stored` is the hash of `text`, in constant time."""
    return stored is not None and hmac.compare_digest(hashed(text), stored)


def s256(verifier: str) -> str:
    """Returns the S256 of a verifier (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(hashed(verifier)).decode().rstrip("=")


def is_challenge(verifier: str, challenge: str) -> bool:
    """Whether `challenge` is the S256 of `verifier` (RFC 7636 section 4.6), in constant time."""
    return hmac.compare_digest(s256(verifier).encode(), challenge.encode())


def cookie_name(state_hash: bytes, *, secure: bool) -> str:
    """Returns the name of an attempt's cookie: each has its own, so tabs live side by side (C4).

    Without https browsers take neither the prefix nor `Secure`.
    """
    return ("__Host-rfc-" if secure else "rfc-") + state_hash[:4].hex()


def masked(label: str) -> str:
    """Returns a label as it is shown to who may be another person: `a•••@acme.example` (C21)."""
    name, at, domain = shown(label).partition("@")
    return f"{name[:1]}•••{at}{domain}"


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """Returns a tenant's or a provider's words as they may be shown: one line, cut, printable (C30).

    Marks that change the direction of writing are none of the printable characters.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"
