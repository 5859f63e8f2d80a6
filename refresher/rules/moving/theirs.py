"""What a connection of another system comes to, and how the values of such systems are read. Pure.

Every reader refuses with `InvalidConnection`, in one sentence, and repeats no token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from refresher.errors import InvalidConnection

Row = Mapping[str, object]
_FERNET = re.compile(r"gAAAAA[A-Za-z0-9_-]{60,}={0,2}")
"""A Fernet token of these decades: version 0x80, then a time of eight bytes (its specification)."""
_BYTES = re.compile(r"\\x(?:[0-9a-fA-F]{2})+|-----BEGIN PGP MESSAGE-----.*", re.DOTALL)
_MILLISECONDS_FROM = 100_000_000_000
"""More seconds than that are the year 5138: it is milliseconds."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """One connection in their words. None is what their system does not hold.

    `client` names the OAuth client that got the grant, `places` what may tell a host or placeholder.
    """

    provider: str
    external_id: str
    organization: str | None
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    granted_scopes: tuple[str, ...] | None = None
    client: str | None = None
    places: Row = field(default_factory=dict, repr=False)
    name: str | None = None
    metadata: Row = field(default_factory=dict)


def first(row: Row, *names: str) -> object:
    """Returns the first of these fields that has anything in it."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def text(row: Row, *names: str) -> str | None:
    """Returns a field as text; a number is one, and anything else is refused by its name."""
    value = first(row, *names)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidConnection(f"{names[0]} must be a text")
    return str(value)


def needed(row: Row, *names: str) -> str:
    """Returns a field that must be there."""
    value = text(row, *names)
    if value is None:
        raise InvalidConnection(f"{names[0]} is missing")
    return value


def table(row: Row, name: str) -> Row:
    """Returns an object, also where it stands as JSON in a text; one without anything for None."""
    value = row.get(name)
    if isinstance(value, str):
        if _FERNET.fullmatch(value) or _BYTES.fullmatch(value):
            raise InvalidConnection(_encrypted(name))
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise InvalidConnection(
                f"{name} is neither an object nor JSON; perhaps their system encrypts it"
            ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidConnection(f"{name} must be an object")
    return value


def token(row: Row, *names: str) -> str | None:
    """Returns a token; one that is plainly encrypted is refused."""
    value = text(row, *names)
    if value is not None and (_FERNET.fullmatch(value) or _BYTES.fullmatch(value)):
        raise InvalidConnection(_encrypted(names[0]))
    return value


def _encrypted(name: str) -> str:
    return (
        f"{name} is encrypted by their system: have their own code export it in the clear, and "
        "import that"
    )


def instant(row: Row, *names: str) -> datetime | None:
    """Returns a moment: seconds or milliseconds since 1970, or ISO 8601, without an offset in UTC."""
    value = first(row, *names)
    if isinstance(value, str) and re.fullmatch(r"\d{1,17}(?:\.\d+)?", value):
        value = float(value)
    if value is None or value == 0:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        raise InvalidConnection(
            f"{names[0]} is no time: neither seconds since 1970 nor ISO 8601"
        ) from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def scopes(value: object) -> tuple[str, ...] | None:
    """Returns scopes of a list, or of a text with commas or blanks between; None where none came."""
    if isinstance(value, str):
        return tuple(re.split(r"[\s,]+", value.strip(" ,"))) if value.strip(" ,") else None
    if isinstance(value, list):
        return tuple(str(part) for part in value) or None
    return None


def at(row: object, path: str) -> str | None:
    """Returns the text or number at a path such as `metadata.tenant`; None where nothing is."""
    for name in path.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return (
        str(row) if isinstance(row, str | int) and not isinstance(row, bool) and row != "" else None
    )
