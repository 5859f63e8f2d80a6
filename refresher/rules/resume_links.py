"""Resume links: what stands in their URL, how it is signed, and what a call may do.

A link is a version, the id of the encryption key that its signing key is derived from, its own id, its
connection's id and its end, all in 45 bytes, then HMAC-SHA256 (RFC 2104) over those. Whoever holds it
can resume one connection once; it names no secret and opens nothing else. Pure: no clock, no dice.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from uuid import UUID

from refresher.rules.connection import ParkReason, Status
from refresher.rules.masking import MASK

PURPOSE = b"refresher resume link 1"
"""What a signing key is derived for: it signs nothing else."""
PREFIX = "rsm_"
MENDED_BY_TOKENS = frozenset(
    {
        ParkReason.RECONNECT_REQUIRED,
        ParkReason.MID_OAUTH,
        ParkReason.NOTHING_TO_REFRESH_WITH,
        ParkReason.NO_EXPIRY,
        ParkReason.UNDECRYPTABLE,
    }
)
"""What a connection is parked for whose tokens are of no use any more."""
MIN_SECONDS, MAX_SECONDS = 60.0, 30 * 86_400.0
_FIELDS = Struct(">c4s16s16sQ")
_VERSION = b"\x01"
_TEXT = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{103}")


@dataclass(frozen=True, slots=True)
class Link:
    """One link, verified or to be signed; `expires_at_epoch` in whole seconds."""

    id: UUID
    connection_id: UUID
    expires_at_epoch: int


class LinkFault(StrEnum):
    """Why a link is not taken, as the code of the answer."""

    INVALID = "invalid_link"
    EXPIRED = "link_expired"
    USED = "link_used"
    WITHDRAWN = "link_withdrawn"


def sign(link: Link, key_id: bytes, key: bytes) -> str:
    """Returns the link as the last part of a URL."""
    fields = _FIELDS.pack(
        _VERSION, key_id, link.id.bytes, link.connection_id.bytes, link.expires_at_epoch
    )
    whole = fields + hmac.digest(key, fields, "sha256")
    return PREFIX + urlsafe_b64encode(whole).decode().rstrip("=")


def verify(text: str, keys: Mapping[bytes, bytes]) -> Link | None:
    """Returns the link that one of `keys` signed, or None. Whether it has ended is for the caller.

    Compared in constant time. A text of another length or alphabet is none, and so is one that only
    decodes to the same bytes: each link has one spelling.
    """
    if _TEXT.fullmatch(text) is None:
        return None
    try:
        whole = urlsafe_b64decode(text.removeprefix(PREFIX) + "=")
    except (NotBase64, ValueError):  # pragma: no cover  the pattern lets no such text through
        return None
    fields, signature = whole[: _FIELDS.size], whole[_FIELDS.size :]
    version, key_id, identity, connection, end = _FIELDS.unpack(fields)
    # An unknown key is compared too, with one that signed nothing: no clock tells the two apart.
    expected = hmac.digest(keys.get(key_id, b"\x00" * 32), fields, "sha256")
    genuine = hmac.compare_digest(expected, signature)
    link = Link(UUID(bytes=identity), UUID(bytes=connection), end)
    if not genuine or key_id not in keys or version != _VERSION:
        return None
    return link if text == sign(link, key_id, keys[key_id]) else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a connection waits for, as far as it counts here."""

    status: Status
    state: str
    parked_reason: str | None
    in_between_steps: bool = False
    paused: bool = False
    disabled: bool = False
    is_sibling: bool = False

    @property
    def for_tokens(self) -> bool:
        """Whether it waits for tokens that a person brings, and for nothing less."""
        reconnect = self.status is Status.RECONNECT_REQUIRED
        return reconnect or self.in_between_steps or self.parked_reason in MENDED_BY_TOKENS


@dataclass(frozen=True, slots=True)
class Resume:
    """Make it due now, with the tokens it has."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Store the tokens that came, as a reconnect."""


@dataclass(frozen=True, slots=True)
class LinkRefusal:
    """Leave connection and link as they are; `code` is that of the answer."""

    code: str
    sentence: str


def decide(
    waiting: Waiting, *, has_tokens: bool, retry: bool, replaces_tokens: bool = False
) -> Resume | Reconnect | LinkRefusal:
    """Returns what a link does to a connection that waits.

    It ends a pause, finishes an OAuth dance, and ends "reconnect required" by new tokens. With the
    stored tokens that is tried only when asked for (`retry`): they were refused, and trying again is
    a decision. What was switched off by somebody in charge stays off, and the tokens of a connection
    that works stay: whoever finds an old link must not put another account in its place, unless the
    link was made for that (`replaces_tokens`).
    """
    if waiting.disabled:
        return LinkRefusal("not_waiting", "the connection is disabled, which no link ends")
    if has_tokens:
        if waiting.is_sibling:
            return LinkRefusal(
                "not_waiting", "the connection uses another one's grant and stores no tokens"
            )
        if waiting.for_tokens or replaces_tokens:
            return Reconnect()
        return LinkRefusal(
            "not_waiting",
            "the connection waits for no tokens, and this link was not made to replace those it has",
        )
    return Resume() if waiting.paused else _without_tokens(waiting, retry=retry)


def _without_tokens(waiting: Waiting, *, retry: bool) -> Resume | LinkRefusal:
    if waiting.in_between_steps:
        return LinkRefusal(
            "tokens_needed", "the connection waits for the end of its OAuth dance: send tokens"
        )
    reconnect = waiting.parked_reason == ParkReason.RECONNECT_REQUIRED
    if waiting.status is Status.RECONNECT_REQUIRED or reconnect:
        if retry:
            return Resume()
        return LinkRefusal(
            "tokens_needed",
            'the connection needs a reconnect: send tokens, or "retry": true to try the stored ones',
        )
    if waiting.state == "parked":
        return Resume()
    return LinkRefusal("not_waiting", "the connection waits for nothing")


TOKEN_FIELDS = frozenset(
    {
        *("access_token", "refresh_token", "expires_in", "refresh_token_expires_in", "scopes"),
        "answer",
    }
)
_SECRET_NAMES = re.compile(
    r"token|secret|passw|authorization|api_?key|cookie|^code$|auth\w{0,40}code", re.IGNORECASE
)
MAX_LEVELS = 20


def recorded(payload: Mapping[str, object], secrets: frozenset[str]) -> dict[str, object]:
    """Returns what of a payload is written down: not the tokens, nor what is called like a secret.

    `tokens` and `retry` are for us and not of the payload. Raises `ValueError` where it nests deeper
    than 20 levels.
    """
    rest = {name: value for name, value in payload.items() if name not in {"tokens", "retry"}}
    cleaned = _cleaned(rest, secrets, MAX_LEVELS)
    assert isinstance(cleaned, dict)
    return cleaned


def _cleaned(value: object, secrets: frozenset[str], levels: int) -> object:
    if levels == 0:
        raise ValueError(f"it nests deeper than {MAX_LEVELS} levels")
    match value:
        case dict():
            return {
                _masked(str(name), secrets): MASK
                if _SECRET_NAMES.search(str(name))
                else _cleaned(inner, secrets, levels - 1)
                for name, inner in value.items()
            }
        case list():
            return [_cleaned(inner, secrets, levels - 1) for inner in value]
        case str():
            return _masked(value, secrets)
        case _:
            return value


def _masked(text: str, secrets: frozenset[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text.replace("\x00", "")
