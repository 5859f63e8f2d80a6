"""The values that travel through one refresh: secrets, claims, connections, grants, replies.

Frozen and free of behaviour beyond small questions. How they are stored is `store/`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha1
from typing import NewType, TypeVar, dataclass_transform
from uuid import UUID

T = TypeVar("T")
_NAMESPACE = UUID("7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11").bytes


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Makes a class with slots, equality and a hash of its fields; never assign to one.

    mypy lets nobody change one, as with `@dataclass(frozen=True)`; at run time nothing checks it,
    because that check makes a value six times as dear, and one refresh makes twenty. Where a value is
    made a few times a second, take a frozen dataclass.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


def connection_id(organization_id: str, provider: str, external_id: str) -> UUID:
    """Returns the id that these three always have, so that importing twice is one connection.

    The separator cannot occur in them: control characters are refused.
    """
    name = f"{organization_id}\x1f{provider}\x1f{external_id}".encode()
    return _numbered(sha1(_NAMESPACE + name, usedforsecurity=False).digest())


def _numbered(digest: bytes) -> UUID:
    """Returns the UUID of version 5 (RFC 9562), as `uuid5` does in twice the time."""
    number = int.from_bytes(digest[:16], "big")
    return UUID(int=number & ~(0xF << 76 | 0x3 << 62) | 5 << 76 | 2 << 62)


Sealed = NewType("Sealed", bytes)
"""Ciphertext, as stored: safe to hold, useless to read."""


class Secret:
    """A token or client secret in the clear, whose `repr` and `str` never show it.

    It exists inside one exchange only. `reveal()` is the single way to the text, so that every use
    can be found by searching for that word.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Returns the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret does not leave its process")


class Status(StrEnum):
    """Whether a connection's grant is believed to be alive."""

    ACTIVE = "active"
    RECONNECT_REQUIRED = "reconnect_required"


class ParkReason(StrEnum):
    """Why a row is out of the schedule until something resumes it."""

    MISSING = "missing"
    DELETED = "deleted"
    DISABLED = "disabled"
    PAUSED = "paused"
    MID_OAUTH = "mid_oauth"
    RECONNECT_REQUIRED = "reconnect_required"
    NO_EXPIRY = "no_expiry"
    NOTHING_TO_REFRESH_WITH = "nothing_to_refresh_with"
    UNKNOWN_PROVIDER = "unknown_provider"
    APP_NOT_CONFIGURED = "app_not_configured"
    UNDECRYPTABLE = "undecryptable"
    UNBUILDABLE_REQUEST = "unbuildable_request"
    UNREAD_ANSWER = "unread_answer"
    LOST_ANSWER = "lost_answer"
    CRASH_LOOP = "crash_loop"
    UNSTORED = "unstored"


SPENT = frozenset({ParkReason.UNREAD_ANSWER, ParkReason.LOST_ANSWER, ParkReason.UNSTORED})
"""Parked so, the stored refresh token may be spent: an answer that came is not stored."""


@value
class Claim:
    """The right to refresh one connection, named by a lease token that only grows.

    The provider is there to group claims by, `due_at` to go on from; they are no part of the right.
    """

    connection_id: UUID
    lease_token: int
    provider: str = field(default="", compare=False)
    due_at: datetime | None = field(default=None, compare=False)


@value
class App:
    """Our OAuth client at one provider, with its secret and its material still sealed."""

    id: UUID
    client_id: str
    client_secret: Sealed | None
    material: Sealed | None = None


@value
class Connection:
    """One account's grant as stored, tokens sealed: what the guard judges.

    `lifetime_seconds` is the last known life of an access token; `grant_number` grows when the
    person connects again, `credential_version` with every stored pair. `scopes` are those asked for.
    """

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    credential_version: int
    grant_number: int
    status: Status
    access_token: Sealed | None
    refresh_token: Sealed | None
    expires_at: datetime | None
    issued_at: datetime | None
    lifetime_seconds: float | None
    refresh_token_expires_at: datetime | None
    host: str | None = None
    placeholders: Mapping[str, str] | None = field(default=None, hash=False)
    scopes: tuple[str, ...] = ()
    in_between_steps: bool = False
    disabled: bool = False
    paused: bool = False
    deleted: bool = False
    app_name: str = "default"
    app: App | None = None

    @property
    def app_key(self) -> str:
        """What a pause of this connection's app is called: `google/default`."""
        return f"{self.provider}/{self.app_name}"


@value
class Grant:
    """What a token endpoint granted: an access token, perhaps a new refresh token.

    The access token is empty where the stored one lives on.
    `refresh_token` is None when the answer had none (or an empty one): the stored one stays.
    Both lives are in seconds from the answer, None where the provider did not tell; an access token's
    is 0 when it has expired already. `refresh_token_is_endless`: told to have no end.
    `in_token_seconds` is what a JWT says of itself, `grant_expires_in_seconds` when the grant ends for
    good, however often it is refreshed.
    `scopes` are those granted, which may be others than were asked for; `kept` holds the fields of
    `keep_fields`.
    """

    access_token: Secret
    refresh_token: Secret | None
    expires_in_seconds: float | None
    refresh_token_expires_in_seconds: float | None
    scopes: tuple[str, ...] | None = None
    refresh_token_is_endless: bool = False
    in_token_seconds: float | None = None
    grant_expires_in_seconds: float | None = None
    kept: Mapping[str, str | int | float | bool] | None = field(
        default=None, repr=False, hash=False
    )


NOTHING = frozenset(
    {
        *("null", "undefined", "none", "nil", "false", "nan", "n/a", "(null)", "<null>", "<nil>"),
        *("[object object]", '""', "''", "{}", "[]"),
    }
)
"""How "there is none" is spelled by who made a text of it, in small letters."""


def is_no_token(text: str) -> bool:
    """Returns whether `text` says that there is no token: it must never replace a stored one."""
    bare = text.strip()
    return len(bare) <= 16 and (not bare or bare.casefold() in NOTHING)


def as_token(value: object) -> Secret | None:
    """Returns a token, None for what is none: blank, another type, "null" or "undefined" as a text."""
    return Secret(value) if isinstance(value, str) and not is_no_token(value) else None


UNSENT = "unsent"
TOO_LARGE = "too_large"
"""`Reply.failure` of a request that was never tried."""


@value
class Reply:
    """What came back, or did not: a time-out is a reply, not an exception.

    `failure` names what went wrong on the way (`connect`, `timeout`, `protocol`, `too_large`,
    `unsent` …). With a status beside it, an answer began to arrive and did not come to its end: `body`
    is what was read so far. The body is as it came over the wire, packed or not. `sent` tells whether
    the request may have reached the provider: only then can a rotating refresh token have been spent.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: str | None = None
    sent: bool = True
    elapsed_seconds: float = 0.0


@value
class SealedLife:
    """A new pair as it is stored; `access_token` is None when only a refresh token was rescued.

    `scopes` are those granted, None when the answer did not tell: then the last ones told stay, and so
    do kept fields (JSON) that this answer lacks. `forgets_end`: the refresh token's end that is stored
    holds no more. `grant_left_seconds`: when the grant ends for good, if that was told.
    """

    access_token: Sealed | None
    refresh_token: Sealed | None
    lifetime_seconds: float | None
    left_seconds: float | None
    refresh_token_left_seconds: float | None
    scopes: tuple[str, ...] | None
    kept_fields: str | None = None
    kept_secrets: Sealed | None = None
    forgets_end: bool = False
    grant_left_seconds: float | None = None
