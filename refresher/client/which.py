"""How an application names a connection: by its id, or by the three names that it knows anyway."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from refresher.errors import NoSuchConnection, RefresherError
from refresher.rules.connection import connection_id

HOW = (
    "a connection is named by its id, the UUID that register() returned, or by "
    "(organization_id, provider, external_id)"
)


class Account(NamedTuple):
    """An account of an organization at a provider, which is one connection.

    Taken wherever a connection's id is, and so is a plain tuple of the same three.
    """

    organization_id: str
    provider: str
    external_id: str


Which = UUID | str | Account | tuple[str, str, str]
"""A connection's id, or its three names."""


def as_id(which: Which) -> UUID:
    """Returns the id; raises `NoSuchConnection` for what names none. Nobody is asked."""
    match which:
        case UUID():
            return which
        case str():
            try:
                return UUID(which)
            except ValueError:
                raise NoSuchConnection(f"this is no id: {HOW}") from None
        case tuple():
            return _of_three(which)
    raise NoSuchConnection(f"this is a {type(which).__name__}: {HOW}")


def _of_three(names: tuple[object, ...]) -> UUID:
    if len(names) != len(Account._fields):
        raise NoSuchConnection(f"this tuple has {len(names)}: {HOW}")
    texts: list[str] = []
    for field, name in zip(Account._fields, names, strict=True):
        text = name.strip() if isinstance(name, str) else ""
        if not text or "\x1f" in text:
            raise NoSuchConnection(f"{field} must be a text that is not empty: {HOW}")
        texts.append(text)
    return connection_id(*texts)


def as_uuid(given: UUID | str, error: RefresherError) -> UUID:
    """Returns the id of something else; raises `error` for what is none."""
    try:
        return given if isinstance(given, UUID) else UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise error from None
