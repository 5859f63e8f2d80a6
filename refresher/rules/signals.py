"""Providers' own notices that a grant may have ended: how each is verified and what it says. Pure.

Two forms. A *security event token* (RFC 8417, as Google's Cross-Account Protection and OpenID RISC send
them): its signature is checked elsewhere, its claims are read here. And a plain *notice*: JSON with an
HMAC in a header, which is checked here. Neither ends a connection: it makes a refresh due, and the
provider's answer to that decides.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from refresher.rules.connection import Secret

if TYPE_CHECKING:  # only who checks a table pays for pydantic
    from refresher.rules.field_types import Events, Header, LongText, LongTexts, Prefix

MAX_AGE_SECONDS = 7 * 86_400.0
"""Notices that were issued earlier are refused, so what is older than a month can be forgotten."""
CLOCK_SKEW_SECONDS = 300.0
MAX_ID_LENGTH = 255
_EVENTS = "https://schemas.openid.net/secevent/"
CHECK_EVENTS = frozenset(
    {
        f"{_EVENTS}oauth/event-type/tokens-revoked",
        f"{_EVENTS}risc/event-type/sessions-revoked",
        f"{_EVENTS}risc/event-type/account-disabled",
        f"{_EVENTS}risc/event-type/account-purged",
        f"{_EVENTS}risc/event-type/account-credential-change-required",
    }
)
"""Events after which tokens may be dead. Others (a test, an account that is enabled) change nothing."""


class SourceKind(StrEnum):
    """How a provider's notices are verified."""

    SECURITY_EVENT_TOKEN = "security_event_token"
    HMAC = "hmac"


class Encoding(StrEnum):
    """How an HMAC is written in its header."""

    HEX = "hex"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class SignalSource:
    """`[signals.<provider>]` of the providers file.

    `match_metadata` names the key of a connection's metadata that holds the provider's own id of the
    account; without it, that id is the connection's external id. Paths lead into the notice's JSON.
    """

    provider: str
    kind: SourceKind
    """required: how its notices are verified"""
    match_metadata: LongText | None = None
    """the key of a connection's metadata that holds the provider's own id of the account"""
    issuer: LongText = ""
    """who signs (security event tokens: required)"""
    audience: LongTexts = ()
    """whom they are for, such as our client ids (security event tokens: required)"""
    jwks_url: LongText = ""
    """where the issuer's keys are (security event tokens: required)"""
    secret: Secret | None = None
    signature_header: Header = ""
    """the header that holds the HMAC (hmac: required)"""
    signature_prefix: Prefix = ""
    """what stands before it there, such as `sha256=`"""
    signature_encoding: Encoding = Encoding.HEX
    """how it is written"""
    timestamp_header: Header | None = None
    """the header with the time that is signed, too"""
    event_id_path: LongTexts = ("id",)
    """the way to the notice's id"""
    event_path: LongTexts = ("type",)
    """the way to what happened"""
    subject_path: LongTexts = ()
    """the way to the provider's id of the account (hmac: required)"""
    revoked_events: Events = frozenset()
    """what must have happened for a grant to be dead, perhaps (hmac: required)"""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a verified notice says: `subject` is the provider's id of an account, if it names one."""

    event_id: str
    kind: str
    subject: str | None
    is_check: bool


class BadSignal(ValueError):
    """A notice that is not genuine (`genuine` False) or makes no sense; its text is one sentence."""

    def __init__(self, sentence: str, *, genuine: bool = True) -> None:
        super().__init__(sentence)
        self.genuine = genuine


def read_claims(claims: Mapping[str, object], now_epoch_seconds: float) -> Signal:
    """Returns what the verified claims of a security event token say; raises `BadSignal`.

    The subject stands in the event (`subject`, or `sub_id` of RFC 9493), or beside it (`sub_id`,
    `sub`). A token that is named by itself and not by its account cannot be found: it checks nothing.
    """
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or isinstance(issued, bool):
        raise BadSignal("the token has no iat")
    if now_epoch_seconds - issued > MAX_AGE_SECONDS:
        raise BadSignal("the token was issued more than 7 days ago")
    events = claims.get("events")
    if not isinstance(events, dict) or not events:
        raise BadSignal("the token has no events")
    kind = next((name for name in events if name in CHECK_EVENTS), next(iter(events)))
    event = events[kind]
    found = _subject(event if isinstance(event, dict) else {}) or _subject(claims)
    return Signal(_text(claims.get("jti"), "jti"), str(kind)[-120:], found, kind in CHECK_EVENTS)


def _subject(holder: Mapping[str, object]) -> str | None:
    for name in ("subject", "sub_id"):
        inner = holder.get(name)
        if isinstance(inner, dict) and isinstance(inner.get("sub"), str):
            return str(inner["sub"]) or None
    plain = holder.get("sub")
    return plain if isinstance(plain, str) and plain else None


def verify_hmac(
    source: SignalSource, headers: Mapping[str, str], body: bytes, now_epoch_seconds: float
) -> None:
    """Raises `BadSignal` unless `body` carries the HMAC-SHA256 of the source's secret.

    Compared in constant time. With a timestamp header the signed text is `<timestamp>.<body>`, and
    the timestamp (seconds) may be five minutes off. Header names in lower case.
    """
    shown = headers.get(source.signature_header.lower(), "")
    signed = body
    if source.timestamp_header is not None:
        stamp = headers.get(source.timestamp_header.lower(), "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise BadSignal(f"the header {source.timestamp_header} is missing", genuine=False)
        if abs(now_epoch_seconds - int(stamp)) > CLOCK_SKEW_SECONDS:
            raise BadSignal("its timestamp is more than five minutes off", genuine=False)
        signed = stamp.encode() + b"." + body
    secret = source.secret.reveal().encode() if source.secret else b""
    digest = hmac.digest(secret, signed, "sha256")
    text = digest.hex() if source.signature_encoding is Encoding.HEX else b64encode(digest).decode()
    expected = source.signature_prefix + text
    if not secret or not hmac.compare_digest(expected.encode(), shown.encode()):
        raise BadSignal(f"the signature in {source.signature_header} is wrong", genuine=False)


def read_notice(source: SignalSource, notice: object) -> Signal:
    """Returns what a verified plain notice says; raises `BadSignal`."""
    event_id = _text(_at(notice, source.event_id_path), ".".join(source.event_id_path))
    kind = _text(_at(notice, source.event_path), ".".join(source.event_path))
    is_check = kind in source.revoked_events
    subject = _at(notice, source.subject_path)
    if is_check:
        subject = _text(subject, ".".join(source.subject_path))
    return Signal(event_id, kind, subject if isinstance(subject, str) else None, is_check)


def _at(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: object, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > MAX_ID_LENGTH:
        raise BadSignal(f"{name} must be a text of 1 to {MAX_ID_LENGTH} characters")
    if not value.isprintable():
        raise BadSignal(f"{name} holds a control character")
    return value
