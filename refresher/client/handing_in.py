"""What `register` takes: a token endpoint's answer as it came, and the fields of an import line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NotRequired, Required, TypedDict

from refresher.errors import InvalidConnection

TOKEN_FIELDS = frozenset(
    {"access_token", "refresh_token", "expires_in", "expires_at", "refresh_token_expires_in"}
)
"""Who names one of these takes the answer apart; otherwise it is handed over whole."""
OF_AN_ANSWER = {
    "access_token": "access_token",
    "refresh_token": "refresh_token",
    "expires_in": "expires_in",
    "refresh_token_expires_in": "refresh_token_expires_in",
    "scope": "granted_scopes",
}
"""What is then taken of it (RFC 6749 section 5.1), and its name in an import."""


class Fields(TypedDict, total=False):
    """What `register` takes by name; a key of one organization may leave that out."""

    organization_id: NotRequired[str | None]
    provider: Required[str]
    external_id: Required[str]
    access_token: NotRequired[str | None]
    refresh_token: NotRequired[str | None]
    expires_in: NotRequired[float | None]
    expires_at: NotRequired[str | datetime | None]
    refresh_token_expires_in: NotRequired[float | None]
    scopes: NotRequired[Sequence[str] | str | None]
    granted_scopes: NotRequired[Sequence[str] | str | None]
    name: NotRequired[str | None]
    app: NotRequired[str | None]
    host: NotRequired[str | None]
    placeholders: NotRequired[Mapping[str, str] | None]
    root_external_id: NotRequired[str | None]
    in_between_steps: NotRequired[bool | None]
    slots: NotRequired[Mapping[str, Mapping[str, object]] | None]
    metadata: NotRequired[Mapping[str, object] | None]


def as_given(
    tokens: Mapping[str, object] | None, fields: Mapping[str, object]
) -> dict[str, object]:
    """Returns the import line of a registration; a field that is named wins over the answer's.

    Raises `InvalidConnection` for the provider's error, which is no answer to store.
    """
    if tokens is not None and not isinstance(tokens, Mapping):
        raise InvalidConnection(
            "tokens must be the token endpoint's answer, as a mapping: response.json()"
        )
    named = {name: _plain(name, value) for name, value in fields.items() if value is not None}
    if not tokens:
        return named
    from refresher.rules.handed_error import refuse_error

    refuse_error(tokens)
    if not TOKEN_FIELDS & named.keys():
        return {"answer": _jsonable(tokens), **named}
    answer = {
        n: tokens[found] for found, n in OF_AN_ANSWER.items() if tokens.get(found) is not None
    }
    if "expires_at" in named:
        answer.pop("expires_in", None)
    return answer | named


def _jsonable(value: object) -> object:
    """Returns an answer as JSON has it: libraries put sets and instants of their own into it."""
    match value:
        case Mapping():
            return {str(name): _jsonable(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_jsonable(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def _plain(name: str, value: object) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidConnection(f"{name} is a time without its offset: give an aware datetime")
        return value.isoformat()
    return list(value) if isinstance(value, tuple | set | frozenset) else value
