"""What is asked of one connection: its token, how it stands, its deeds. Each operation once.

The client classes only choose how an operation is carried out (`calls.py`). What `register` takes are
the fields of an import line: docs/import.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from refresher.client import values
from refresher.client.calls import Call, Page, as_json, page_of, page_params
from refresher.client.values import Connection, Event, made
from refresher.client.which import Which, as_id
from refresher.rules.served import RefreshResult, Served

Deed = Literal["pause", "resume", "disable", "enable"]


class Change(TypedDict, total=False):
    """What `patch` takes by name; what is left out stays. `metadata` is replaced as a whole."""

    name: str | None
    metadata: Mapping[str, object] | None
    scopes: Sequence[str]


def token(
    which: Which,
    min_ttl_seconds: float,
    wait_seconds: float,
    rejected: str | None,
    slot: str | None = None,
) -> Call[Served]:
    """A token with life enough, which is not the rejected one."""
    id_ = as_id(which)
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
        safe=True,
    )


def refresh(which: Which, *, wait_seconds: float) -> Call[RefreshResult]:
    """A refresh now."""
    id_ = as_id(which)
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
        once=True,
    )


def get(which: Which) -> Call[Connection]:
    """A connection as it is."""
    id_ = as_id(which)
    path = f"/v1/connections/{id_}"
    return Call("GET", path, read=_connection, here=lambda direct: direct.get(id_))


def patch(which: Which, change: Mapping[str, object]) -> Call[Connection]:
    """Another name, other metadata or scopes."""
    id_, body = as_id(which), as_json(change)
    return Call(
        "PATCH",
        f"/v1/connections/{id_}",
        read=_connection,
        here=lambda direct: direct.change(id_, body),
        body=body,
        about="registration",
        once=True,
    )


def steer(which: Which, deed: Deed) -> Call[Connection]:
    """What is done to the state of a connection."""
    id_ = as_id(which)
    return Call(
        "POST",
        f"/v1/connections/{id_}/{deed}",
        read=_connection,
        here=lambda direct: direct.steer(id_, deed),
        once=True,
    )


def delete(which: Which, *, revoke: bool) -> Call[None]:
    """A connection that is gone, its grant given back to the provider if wanted."""
    id_ = as_id(which)
    return Call(
        "DELETE",
        f"/v1/connections/{id_}",
        read=lambda _: None,
        here=lambda direct: direct.delete(id_, revoke=revoke),
        params={"revoke": "true"} if revoke else {},
        once=True,
    )


def events(which: Which, *, cursor: str | None) -> Call[Page[Event]]:
    """A page of a connection's history."""
    id_ = as_id(which)
    return Call(
        "GET",
        f"/v1/connections/{id_}/events",
        read=page_of(Event),
        here=lambda direct: direct.events(id_, cursor=cursor),
        params=page_params(cursor),
    )


def _connection(document: Any) -> Connection:
    return made(Connection, document)
