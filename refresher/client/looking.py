"""What an application looks at beside one connection: the list of them, and what its key may do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from refresher.client import calls
from refresher.client.calls import Call, Page, page_of, page_params
from refresher.client.values import Connection


class Filters(TypedDict, total=False):
    """Which connections `list` yields: those that all of these fit, None leaves one away.

    `state` is `idle`, `leased` or `parked`, `reason` why it is parked, `health` the one word that tells
    how it stands. `slots`: also the tokens beside the main ones.
    """

    organization_id: str | None
    provider: str | None
    health: str | None
    state: str | None
    reason: str | None
    external_id: str | None
    slots: bool


@dataclass(frozen=True, slots=True)
class Rights:
    """What may be done: `scopes`, for one organization, or for each where that is None."""

    organization_id: str | None
    scopes: frozenset[str] = field(default_factory=frozenset)


def connections(filters: Filters, *, cursor: str | None) -> Call[Page[Connection]]:
    """A page of connections."""
    asked: dict[str, Any] = {
        n: value for n, value in filters.items() if value is not None and value is not False
    }
    return Call(
        "GET",
        "/v1/connections",
        read=page_of(Connection),
        here=lambda direct: direct.connections(asked, cursor=cursor),
        params=page_params(cursor, **asked),
    )


def find(text: str, organization_id: str | None) -> Call[tuple[Connection, ...]]:
    """Those that a text may mean, the exact one first."""
    read = page_of(Connection)
    given = {"find": text, "limit": str(calls.PAGE)}
    return Call(
        "GET",
        "/v1/connections",
        read=lambda document: read(document).items,
        here=lambda direct: direct.find(text, organization_id),
        params=given | ({"organization_id": organization_id} if organization_id else {}),
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


def _rights(document: Any) -> Rights:
    return Rights(document["organization_id"], frozenset(document["scopes"]))
