"""Each thing an application can ask for, once: as a request to the API, and as work on the database.

`Refresher` and `AsyncRefresher` only choose how an operation is carried out. What `register` takes are
the fields of an import line: docs/import.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)
from uuid import UUID

from refresher.client import values
from refresher.client.values import Connection, EventPage
from refresher.errors import InvalidConnection, NoSuchConnection
from refresher.rules.handed_error import refuse_error
from refresher.rules.served import RefreshResult, Served

if TYPE_CHECKING:
    from refresher.client.direct import Direct

T = TypeVar("T")
Id = UUID | str
PAGE = 200
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


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, how its answer is read, and the same without a server.

    `wait_seconds` is how long the server may take on purpose; `here_async` is for what need not hold a
    thread.
    """

    method: str
    path: str
    read: Callable[[Any], T]
    here: Callable[[Direct], T]
    here_async: Callable[[Direct], Awaitable[T]] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    wait_seconds: float = 0.0
    about: Literal["token", "registration", "connect", "other"] = "other"
    of: UUID | None = None
    """The connection whose token is asked for."""


def token(
    given: Id,
    min_ttl_seconds: float,
    wait_seconds: float,
    rejected: str | None,
    slot: str | None = None,
) -> Call[Served]:
    """A token with life enough, which is not the rejected one."""
    id_ = as_id(given)
    ask: dict[str, Any] = {
        "min_ttl_seconds": min_ttl_seconds,
        "wait_seconds": wait_seconds,
        "rejected": rejected,
        "slot": slot,
    }
    return Call(
        "POST",
        f"/v1/connections/{id_}/token",
        read=lambda document: values.served(id_, document),
        here=lambda direct: direct.on_demand.fresh_token(id_, **ask),
        here_async=lambda direct: direct.on_demand.fresh_token_async(id_, **ask),
        body={name: value for name, value in ask.items() if value is not None},
        wait_seconds=wait_seconds,
        about="token",
        of=id_,
    )


def refresh(given: Id, *, wait_seconds: float) -> Call[RefreshResult]:
    """A refresh now."""
    id_ = as_id(given)
    return Call(
        "POST",
        f"/v1/connections/{id_}/refresh",
        read=values.ending,
        here=lambda direct: direct.on_demand.refresh_now(id_, wait_seconds=wait_seconds),
        here_async=lambda d: d.on_demand.refresh_now_async(id_, wait_seconds=wait_seconds),
        body={"wait_seconds": wait_seconds},
        wait_seconds=wait_seconds,
        about="token",
        of=id_,
    )


def register(given: Mapping[str, object]) -> Call[Connection]:
    """A new connection, or a known one that comes back with new tokens."""
    return Call(
        "PUT",
        "/v1/connections",
        read=_connection,
        here=lambda direct: direct.register(given),
        body=given,
        about="registration",
    )


def get(given: Id) -> Call[Connection]:
    """A connection as it is."""
    id_ = as_id(given)
    path = f"/v1/connections/{id_}"
    return Call("GET", path, read=_connection, here=lambda direct: direct.get(id_))


def pause(given: Id) -> Call[Connection]:
    """No refresh until it is resumed."""
    id_ = as_id(given)
    path = f"/v1/connections/{id_}/pause"
    return Call("POST", path, read=_connection, here=lambda direct: direct.pause(id_))


def resume(given: Id) -> Call[Connection]:
    """An end to a pause, to disabling, to "reconnect required"."""
    id_ = as_id(given)
    path = f"/v1/connections/{id_}/resume"
    return Call("POST", path, read=_connection, here=lambda direct: direct.resume(id_))


def delete(given: Id, *, revoke: bool) -> Call[None]:
    """A connection that is gone, its grant given back to the provider if wanted."""
    id_ = as_id(given)
    return Call(
        "DELETE",
        f"/v1/connections/{id_}",
        read=lambda _: None,
        here=lambda direct: direct.delete(id_, revoke=revoke),
        params={"revoke": "true"} if revoke else {},
    )


def events(given: Id, *, cursor: str | None, limit: int) -> Call[EventPage]:
    """A page of a connection's history."""
    id_ = as_id(given)
    params = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
    return Call(
        "GET",
        f"/v1/connections/{id_}/events",
        read=values.page,
        here=lambda direct: direct.events(id_, cursor=cursor, limit=limit),
        params=params,
    )


def as_id(given: Id) -> UUID:
    """Returns the id; raises `NoSuchConnection` for a text that is none."""
    try:
        return given if isinstance(given, UUID) else UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise NoSuchConnection(
            "a connection's id is a UUID: the one that register() returned"
        ) from None


def _connection(document: Any) -> Connection:
    return values.made(Connection, document)


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
