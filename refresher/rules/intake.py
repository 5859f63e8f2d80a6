"""Reads one connection as an application hands it over, and says in a sentence what is wrong.

Pure: a decoded JSON object in, a `NewConnection` out, or `InvalidConnection`. `connections import`
and every other way in use it, so that a field means the same everywhere. README, "Import format".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from unicodedata import category
from uuid import UUID, uuid5

from refresher.errors import InvalidConnection, did_you_mean
from refresher.rules.connection import Secret

MAX_TOKEN_BYTES = 65_536
MAX_METADATA_BYTES = 65_536
MAX_METADATA_LEVELS = 100
MAX_TEXT_LENGTH = 512
MAX_SHOWN_LENGTH = 64
MAX_LIFETIME_SECONDS = 10 * 366 * 86_400.0
_NAMESPACE = UUID("7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11")
_REQUIRED = ("organization_id", "provider", "external_id")
_TEXTS = (*_REQUIRED, "name", "root_external_id", "host", "app")
_KNOWN = frozenset(
    {
        *_TEXTS,
        "access_token",
        "refresh_token",
        "expires_in",
        "expires_at",
        "refresh_token_expires_in",
        "scopes",
        "in_between_steps",
        "metadata",
    }
)


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection as handed over: texts checked, tokens in the clear, lives not yet judged."""

    organization_id: str
    provider: str
    external_id: str
    access_token: Secret | None
    refresh_token: Secret | None
    name: str | None = None
    app: str = "default"
    host: str | None = None
    root_external_id: str | None = None
    expires_in_seconds: float | None = None
    expires_at: datetime | None = None
    refresh_token_expires_in_seconds: float | None = None
    scopes: tuple[str, ...] = ()
    in_between_steps: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)

    id: UUID = field(init=False)
    """The same for the same organization, provider and external id."""

    def __post_init__(self) -> None:
        made = connection_id(self.organization_id, self.provider, self.external_id)
        object.__setattr__(self, "id", made)

    @property
    def root_id(self) -> UUID | None:
        """The id of the connection whose grant this one shares."""
        root = self.root_external_id
        return connection_id(self.organization_id, self.provider, root) if root else None


def connection_id(organization_id: str, provider: str, external_id: str) -> UUID:
    """Returns the id that these three always have, so that importing twice is one connection.

    The separator cannot occur in them: control characters are refused.
    """
    return uuid5(_NAMESPACE, f"{organization_id}\x1f{provider}\x1f{external_id}")


def read(given: object) -> NewConnection:
    """Returns the connection in `given`; raises `InvalidConnection` with one sentence."""
    if not isinstance(given, dict):
        raise InvalidConnection("the line must be one JSON object")
    for name in given:
        if name not in _KNOWN:
            shown = "".join(c for c in str(name)[:MAX_SHOWN_LENGTH] if c.isprintable())
            raise InvalidConnection(f'there is no field "{shown}"{did_you_mean(shown, _KNOWN)}')
    texts = {name: _text(given, name) for name in _TEXTS}
    for name in _REQUIRED:
        if not texts[name]:
            raise InvalidConnection(f"{name} is missing")
    if given.get("expires_in") is not None and given.get("expires_at") is not None:
        raise InvalidConnection("give expires_in or expires_at, not both")
    made = NewConnection(
        organization_id=texts["organization_id"] or "",
        provider=texts["provider"] or "",
        external_id=texts["external_id"] or "",
        access_token=_token(given, "access_token"),
        refresh_token=_token(given, "refresh_token"),
        name=texts["name"],
        app=texts["app"] or "default",
        host=texts["host"],
        root_external_id=texts["root_external_id"],
        expires_in_seconds=_seconds(given, "expires_in"),
        expires_at=_instant(given, "expires_at"),
        refresh_token_expires_in_seconds=_seconds(given, "refresh_token_expires_in"),
        scopes=_scopes(given.get("scopes")),
        in_between_steps=_flag(given, "in_between_steps"),
        metadata=_metadata(given.get("metadata")),
    )
    _check_whole(made)
    return made


def _check_whole(made: NewConnection) -> None:
    if made.root_external_id is not None:
        if made.root_external_id == made.external_id:
            raise InvalidConnection("root_external_id is the connection's own external_id")
        if made.access_token or made.refresh_token:
            raise InvalidConnection(
                "a connection with root_external_id shares its root's tokens: leave out "
                "access_token and refresh_token"
            )


def _text(given: Mapping[str, object], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} must be a text")
    if len(value) > MAX_TEXT_LENGTH:
        raise InvalidConnection(f"{name} is longer than {MAX_TEXT_LENGTH} characters")
    if not _is_clean(value):
        raise InvalidConnection(f"{name} contains a control character")
    return value.strip() or None


def _token(given: Mapping[str, object], name: str) -> Secret | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} must be a text")
    if len(value) > MAX_TOKEN_BYTES:
        raise InvalidConnection(
            f"{name} is {len(value):,} characters long; {MAX_TOKEN_BYTES:,} are allowed"
        )
    # RFC 6749 appendix A.12 and A.17: tokens are visible ASCII and space.
    if not value.isascii() or not value.isprintable():
        raise InvalidConnection(f"{name} contains characters that no token may have")
    if not value.strip():
        raise InvalidConnection(f"{name} is blank: leave it out when there is none")
    return Secret(value)


def _is_clean(value: str) -> bool:
    # Not `isprintable`: names hold joined emoji and wide spaces. Half a surrogate pair no database
    # takes.
    return all(category(c) not in {"Cc", "Cs"} for c in value)


def _seconds(given: Mapping[str, object], name: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        seconds = float("nan") if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if math.isnan(seconds) or not seconds <= MAX_LIFETIME_SECONDS:
        raise InvalidConnection(f"{name} must be a number of seconds, ten years at most")
    if seconds < 0:
        raise InvalidConnection(f"{name} is negative: give 0 for a token that has expired already")
    return seconds


def _instant(given: Mapping[str, object], name: str) -> datetime | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidConnection(
            f'{name} must be a date and time with its offset, such as "2026-12-31T23:59:59Z"'
        )
    if not 1970 <= instant.year < 9000:
        raise InvalidConnection(
            f"{name} lies in the year {instant.year}: leave it out when no end is known"
        )
    return instant.astimezone(UTC)


def _scopes(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(p, str) and p.strip() for p in parts):
        raise InvalidConnection("scopes must be a list of texts, or one text with spaces between")
    if not all(p.isprintable() and " " not in p for p in parts):
        raise InvalidConnection("scopes contains a space or a control character within a scope")
    if any(len(p) > MAX_TEXT_LENGTH for p in parts):
        raise InvalidConnection(f"scopes has a scope longer than {MAX_TEXT_LENGTH} characters")
    return tuple(parts)


def _flag(given: Mapping[str, object], name: str) -> bool:
    value = given.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidConnection(f"{name} must be true or false")
    return value


def _metadata(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidConnection("metadata must be a JSON object")
    if _levels(value) > MAX_METADATA_LEVELS:
        raise InvalidConnection(f"metadata is nested more than {MAX_METADATA_LEVELS} levels deep")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except ValueError:
        raise InvalidConnection(
            "metadata holds what no database takes as JSON: NaN, Infinity, or half a surrogate pair"
        ) from None
    if size > MAX_METADATA_BYTES:
        raise InvalidConnection(
            f"metadata is {size:,} bytes long; {MAX_METADATA_BYTES:,} are allowed"
        )
    if "\\u0000" in text.replace("\\\\", ""):
        raise InvalidConnection("metadata contains a NUL character")
    return value


def _levels(value: object) -> int:
    """Returns how deep `value` is nested, without recursion; stops one past what is allowed."""
    levels, layer = 0, [value]
    while layer and levels <= MAX_METADATA_LEVELS:
        layer = [child for parent in layer for child in _children(parent)]
        levels += 1
    return levels


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
