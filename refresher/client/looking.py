"""What an application looks at beside one connection: the list of them, and what its key may do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refresher.client.operations import PAGE, Call
from refresher.client.values import Connection, made


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Some connections, in the order of their names; `next_cursor` is None at the end."""

    items: tuple[Connection, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Rights:
    """What may be done: `scopes`, for one organization, or for each where that is None."""

    organization_id: str | None
    scopes: frozenset[str] = field(default_factory=frozenset)


def connections(chosen: Mapping[str, str | None], *, cursor: str | None) -> Call[ConnectionPage]:
    """A page of connections; `chosen` are the names of the API's filters."""
    asked = {name: value for name, value in chosen.items() if value is not None}
    page = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
    return Call(
        "GET",
        "/v1/connections",
        read=_page,
        here=lambda direct: direct.connections(asked, cursor=cursor, limit=PAGE),
        params=asked | page,
    )


def rights() -> Call[Rights]:
    """What the API key may do; without an API, everything."""
    return Call("GET", "/v1/whoami", read=_rights, here=lambda direct: direct.rights())


def cursor_of(place: Sequence[str]) -> str:
    """Returns where a list goes on behind a place, without an API."""
    return json.dumps(place)


def place_of(cursor: str | None) -> tuple[str, ...] | None:
    """Returns the place that `cursor_of` wrote."""
    return None if cursor is None else tuple(json.loads(cursor))


def _page(document: Any) -> ConnectionPage:
    items = tuple(made(Connection, one) for one in document["items"])
    return ConnectionPage(items, document["next_cursor"])


def _rights(document: Any) -> Rights:
    return Rights(document["organization_id"], frozenset(document["scopes"]))
