"""Reads the values of an import line's fields, each refused in a sentence with its name. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from refresher.errors import InvalidConnection
from refresher.rules.connection import Secret, is_no_token
from refresher.rules.placeholders import MAX_VALUE_LENGTH

MAX_TOKEN_BYTES = 65_536
MAX_ANSWER_BYTES = 262_144
MAX_METADATA_BYTES = 65_536
MAX_METADATA_LEVELS = 100
MAX_TEXT_LENGTH = 512
MAX_LIFETIME_SECONDS = 10 * 366 * 86_400.0
MAX_PLACEHOLDERS = 20
UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs, which no database takes.

Not `isprintable`: names hold joined emoji and wide spaces.
"""
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
AN_INSTANT = 'must be a date and time with its offset, such as "2026-12-31T23:59:59Z"'


def text(given: Mapping[str, object], name: str) -> str | None:
    """Returns a text without the blanks around it, None for a blank one."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} must be a text")
    if len(value) > MAX_TEXT_LENGTH:
        raise InvalidConnection(f"{name} is longer than {MAX_TEXT_LENGTH} characters")
    if UNCLEAN.search(value):
        raise InvalidConnection(f"{name} contains a control character")
    return value.strip() or None


def token(given: Mapping[str, object], name: str) -> Secret | None:
    """Returns a token; None for one that is absent, blank, or a word for nothing such as "null"."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} must be a text")
    if is_no_token(value):
        return None
    if len(value) > MAX_TOKEN_BYTES:
        raise InvalidConnection(
            f"{name} is {len(value):,} characters long; {MAX_TOKEN_BYTES:,} are allowed"
        )
    # RFC 6749 appendix A.12 and A.17: tokens are visible ASCII and space.
    if not value.isascii() or not value.isprintable():
        raise InvalidConnection(f"{name} contains characters that no token may have")
    return Secret(value)


def seconds(given: Mapping[str, object], name: str) -> float | None:
    """Returns a length of time."""
    value = given.get(name)
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number) or not number <= MAX_LIFETIME_SECONDS:
        raise InvalidConnection(f"{name} must be a number of seconds, ten years at most")
    if number < 0:
        raise InvalidConnection(f"{name} is negative: give 0 for a token that has expired already")
    return number


def instant(given: Mapping[str, object], name: str) -> datetime | None:
    """Returns a moment in UTC."""
    value = given.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidConnection(f"{name} {AN_INSTANT}")
    if not 1970 <= moment.year < 9000:
        raise InvalidConnection(
            f"{name} lies in the year {moment.year}: leave it out when no end is known"
        )
    return moment.astimezone(UTC)


def scopes(value: object, name: str = "scopes") -> tuple[str, ...] | None:
    """Returns scopes, None when they are absent; an empty list says that there are none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(p, str) and p.strip() for p in parts):
        raise InvalidConnection(f"{name} must be a list of texts, or one text with spaces between")
    if not all(p.isprintable() and " " not in p for p in parts):
        raise InvalidConnection(f"{name} contains a space or a control character within a scope")
    if any(len(p) > MAX_TEXT_LENGTH for p in parts):
        raise InvalidConnection(f"{name} has a scope longer than {MAX_TEXT_LENGTH} characters")
    return tuple(parts)


def flag(given: Mapping[str, object], name: str) -> bool | None:
    """Returns true, false, or None when it is absent."""
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidConnection(f"{name} must be true or false")
    return value


def placeholders(value: object) -> Mapping[str, str] | None:
    """Returns the values of an entry's placeholders; whether they fit, the entry tells."""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise InvalidConnection(
            'placeholders must be an object of texts, such as {"tenant": "acme"}'
        )
    if len(value) > MAX_PLACEHOLDERS or any(len(v) > MAX_VALUE_LENGTH for v in value.values()):
        raise InvalidConnection(
            f"placeholders has more than {MAX_PLACEHOLDERS} values, or one of more than "
            f"{MAX_VALUE_LENGTH} characters"
        )
    return value


def answer(value: object) -> Mapping[str, object] | None:
    """Returns a token endpoint's answer, of which the entry tells what is what."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidConnection("answer must be the token endpoint's answer, as a JSON object")
    if _levels(value) > MAX_METADATA_LEVELS:
        raise InvalidConnection(f"answer is nested more than {MAX_METADATA_LEVELS} levels deep")
    if len(json.dumps(value, default=str)) > MAX_ANSWER_BYTES:
        raise InvalidConnection(f"answer is longer than {MAX_ANSWER_BYTES:,} bytes")
    return value


def metadata(value: object) -> Mapping[str, object] | None:
    """Returns what people note beside a connection; None when it is absent."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidConnection("metadata must be a JSON object")
    if _levels(value) > MAX_METADATA_LEVELS:
        raise InvalidConnection(f"metadata is nested more than {MAX_METADATA_LEVELS} levels deep")
    try:
        whole = _JSON.encode(value)
        size = len(whole.encode())
    except ValueError:
        raise InvalidConnection(
            "metadata holds what no database takes as JSON: NaN, Infinity, or half a surrogate pair"
        ) from None
    if size > MAX_METADATA_BYTES:
        raise InvalidConnection(
            f"metadata is {size:,} bytes long; {MAX_METADATA_BYTES:,} are allowed"
        )
    if "\\u0000" in whole.replace("\\\\", ""):
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
