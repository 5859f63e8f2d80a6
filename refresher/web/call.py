"""The values that handlers take and return: a call, an answer, a route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from pydantic import BaseModel

from refresher.rules.access import ApiKey, Scope

if TYPE_CHECKING:
    from refresher.web.state import State


NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Call:
    """One authorized request, its parts validated. `body` is an instance of the route's model."""

    key: ApiKey
    path: Mapping[str, str]
    query: Any
    body: Any
    raw_body: Any
    if_match: frozenset[str] | None = None
    connection_id: UUID = NO_ID


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a value that orjson writes, never a model built for its own sake."""

    value: object
    status: int = 200
    etag: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def always(_call: Call) -> bool:
    """For `Route.waits`: each call of it does."""
    return True


Handler = Callable[["State", Call], Answer] | Callable[["State", Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API.

    `scope` None takes any key. `answers` are the good ones by status; `problems` are codes of
    `problems.py` beyond those that follow from the other fields. A handler that is a plain function
    runs on a thread of the pool, a coroutine function on the event loop. A plain one that `waits` for
    somebody else's server, in this call, runs on the threads of `outside.py`.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    summary: str
    scope: Scope | None
    answers: Mapping[int, type[BaseModel]]
    description: str = ""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    for_all_organizations: bool = False
    conditional: bool = False
    idempotent: bool = False
    waits: Callable[[Call], bool] | None = None
    problems: tuple[str, ...] = ()
    tags: tuple[str, ...] = field(default=("connections",))
