"""Each thing an application can ask for, once: as a request to the API, and as work on the database.

`Refresher` and `AsyncRefresher` only choose how an operation is carried out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from uuid import UUID

from refresher.client import values
from refresher.client.values import Connection, EventPage
from refresher.errors import NoSuchConnection
from refresher.rules.serving import RefreshResult, Served

if TYPE_CHECKING:
    from refresher.client.direct import Direct

T = TypeVar("T")
Id = UUID | str
PAGE = 200


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
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
    about: Literal["token", "registration", "other"] = "other"


def token(
    given: Id, *, min_ttl_seconds: float, wait_seconds: float, rejected: str | None
) -> Operation[Served]:
    """A token with life enough, which is not the rejected one."""
    id_ = as_id(given)
    ask: dict[str, Any] = {
        "min_ttl_seconds": min_ttl_seconds,
        "wait_seconds": wait_seconds,
        "rejected": rejected,
    }
    return Operation(
        "POST",
        f"/v1/connections/{id_}/token",
        read=lambda document: values.served(id_, document),
        here=lambda direct: direct.on_demand.fresh_token(id_, **ask),
        here_async=lambda direct: direct.on_demand.fresh_token_async(id_, **ask),
        body={name: value for name, value in ask.items() if value is not None},
        wait_seconds=wait_seconds,
        about="token",
    )


def refresh(given: Id, *, wait_seconds: float) -> Operation[RefreshResult]:
    """A refresh now."""
    id_ = as_id(given)
    return Operation(
        "POST",
        f"/v1/connections/{id_}/refresh",
        read=values.ending,
        here=lambda direct: direct.on_demand.refresh_now(id_, wait_seconds=wait_seconds),
        here_async=lambda d: d.on_demand.refresh_now_async(id_, wait_seconds=wait_seconds),
        body={"wait_seconds": wait_seconds},
        wait_seconds=wait_seconds,
        about="token",
    )


def register(given: Mapping[str, object]) -> Operation[Connection]:
    """A new connection, or a known one that comes back with new tokens."""
    return Operation(
        "PUT",
        "/v1/connections",
        read=_connection,
        here=lambda direct: direct.register(given),
        body=given,
        about="registration",
    )


def get(given: Id) -> Operation[Connection]:
    """A connection as it is."""
    id_ = as_id(given)
    path = f"/v1/connections/{id_}"
    return Operation("GET", path, read=_connection, here=lambda direct: direct.get(id_))


def pause(given: Id) -> Operation[Connection]:
    """No refresh until it is resumed."""
    id_ = as_id(given)
    path = f"/v1/connections/{id_}/pause"
    return Operation("POST", path, read=_connection, here=lambda direct: direct.pause(id_))


def resume(given: Id) -> Operation[Connection]:
    """An end to a pause, to disabling, to "reconnect required"."""
    id_ = as_id(given)
    path = f"/v1/connections/{id_}/resume"
    return Operation("POST", path, read=_connection, here=lambda direct: direct.resume(id_))


def delete(given: Id, *, revoke: bool) -> Operation[None]:
    """A connection that is gone, its grant given back to the provider if wanted."""
    id_ = as_id(given)
    return Operation(
        "DELETE",
        f"/v1/connections/{id_}",
        read=lambda _: None,
        here=lambda direct: direct.delete(id_, revoke=revoke),
        params={"revoke": "true"} if revoke else {},
    )


def events(given: Id, *, cursor: str | None, limit: int) -> Operation[EventPage]:
    """A page of a connection's history."""
    id_ = as_id(given)
    params = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
    return Operation(
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
