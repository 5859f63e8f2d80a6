"""What an operation is: a request to the API, how its answer is read, and the same on a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from uuid import UUID

from refresher.client.values import made

if TYPE_CHECKING:
    from refresher.client.direct import Direct

T = TypeVar("T")
PAGE = 200
"""How many a page has that the SDK asks for."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, how its answer is read, and the same without a server.

    `wait_seconds` is how long the server may take on purpose; `here_async` is for what need not hold a
    thread. `once`: the API does it once for one Idempotency-Key, so it may be sent again; and so
    may what is `safe` to ask twice anyway, as every GET is.
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
    once: bool = False
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list; `next_cursor` leads to more, None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None


def page_of(kind: type[T]) -> Callable[[Any], Page[T]]:
    """Returns what reads a page of such values."""
    return lambda found: Page(
        tuple(made(kind, one) for one in found["items"]), found["next_cursor"]
    )


def page_params(cursor: str | None, **filters: object) -> dict[str, str]:
    """Returns the parameters of a page; filters that are None are left out."""
    given = {name: _text(value) for name, value in filters.items() if value is not None}
    return given | {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})


def as_json(fields: Mapping[str, object]) -> dict[str, object]:
    """Returns fields as a body: what JSON has no kind for as a list or a text."""
    return {name: _plain(value) for name, value in fields.items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: object) -> object:
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
