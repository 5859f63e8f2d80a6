"""The fields of a connection that is handed in: those of an import line, README, "Import format"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NotRequired, Required, TypedDict

from refresher.errors import InvalidConnection

OF_AN_ANSWER = {
    "access_token": "access_token",
    "refresh_token": "refresh_token",
    "expires_in": "expires_in",
    "refresh_token_expires_in": "refresh_token_expires_in",
    "scope": "scopes",
}
"""What is taken of a token endpoint's answer (RFC 6749 section 5.1), and its name in an import."""


class Fields(TypedDict, total=False):
    """What `register` takes by name."""

    organization_id: Required[str]
    provider: Required[str]
    external_id: Required[str]
    access_token: NotRequired[str | None]
    refresh_token: NotRequired[str | None]
    expires_in: NotRequired[float | None]
    expires_at: NotRequired[str | datetime | None]
    refresh_token_expires_in: NotRequired[float | None]
    scopes: NotRequired[Sequence[str] | str | None]
    name: NotRequired[str | None]
    app: NotRequired[str | None]
    host: NotRequired[str | None]
    root_external_id: NotRequired[str | None]
    in_between_steps: NotRequired[bool | None]
    metadata: NotRequired[Mapping[str, object] | None]


def as_given(
    tokens: Mapping[str, object] | None, fields: Mapping[str, object]
) -> dict[str, object]:
    """Returns the import line of a registration; a field that is named wins over the answer's."""
    if tokens is not None and not isinstance(tokens, Mapping):
        raise InvalidConnection("tokens must be the token endpoint's answer, as a mapping")
    answer = {
        name: tokens[found]
        for found, name in OF_AN_ANSWER.items()
        if tokens is not None and tokens.get(found) is not None
    }
    named = {name: _plain(name, value) for name, value in fields.items() if value is not None}
    if "expires_at" in named:
        answer.pop("expires_in", None)
    return answer | named


def _plain(name: str, value: object) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidConnection(f"{name} is a time without its offset: give an aware datetime")
        return value.isoformat()
    return list(value) if isinstance(value, tuple | set | frozenset) else value
