"""What a page declares (`Route`), and what a handler answers (`Answer`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from refresher.rules.access import Scope

if TYPE_CHECKING:
    from refresher.web.dashboard.visit import Visit

Tone = Literal["good", "warn", "bad", "still"]


@dataclass(frozen=True, slots=True)
class Page:
    """A template and what it shows: `view` is a frozen dataclass, in the template under that name.

    `more` are further names for the template. `has_live_parts` tells whether its parts are polled for;
    None: where it answers a GET, for what answers a form may have no page at its address.
    `is_alike`: whoever has the same rights, zone and address sees the same, so it is made once for all
    of them while the route's `same` holds; no form may be in its parts.
    """

    template: str
    view: object
    title: str
    status: int = 200
    section: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)
    has_live_parts: bool | None = None
    is_alike: bool = False


@dataclass(frozen=True, slots=True)
class Goto:
    """After a deed: 303 to another page, which shows `said` once. Nothing secret may be in it."""

    path: str
    said: str | None = None
    tone: Tone = "good"


@dataclass(frozen=True, slots=True)
class Fragment:
    """HTML that a script asked for. Without an `etag` it gets one of its text."""

    html: str
    etag: str | None = None
    status: int = 200


Answer = Page | Goto | Fragment


class NotHere(Exception):
    """There is no such thing, or it is another organization's: the same page for both."""


class Mistaken(Exception):
    """A form with a mistake: the same page again with 422, what was typed kept.

    The page's template shows `mistake`, the sentence, by the macro of that name; `status` 409 is for a
    row that changed meanwhile.
    """

    def __init__(self, sentence: str, page: Page, status: int = 422) -> None:
        super().__init__(sentence)
        self.sentence, self.page, self.status = sentence, page, status


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address. `handle` runs on a thread, and may wait for Postgres.

    `outside`: it may wait for somebody else's server as well, in places of its own for each tenant.
    `everybody`: it exists for keys of all organizations alone; for a bound one there is nothing here.
    `section`: which item of the left column is the current one. `or_scope`: does as well as `scope`.
    `same`: what names all that the page shows, at little cost; while it is the same name, who polls is
    told that nothing changed, and the page is not made. None: it cannot be told so.
    """

    method: Literal["GET", "POST"]
    pattern: str
    handle: Callable[[Visit], Answer]
    scope: Scope = Scope.READ
    everybody: bool = False
    section: str = ""
    outside: bool = False
    same: Callable[[Visit], str | None] | None = None
    or_scope: Scope | None = None

    def is_open_to(self, scopes: Collection[Scope]) -> bool:
        """Whether a key with these scopes may ask."""
        return self.scope in scopes or (self.or_scope is not None and self.or_scope in scopes)

    def parts(self, path: str) -> dict[str, str] | None:
        """Returns the named parts of a path, None for a path of another form."""
        found = _expression(self.pattern).fullmatch(path)
        return found.groupdict() if found else None


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to: the routes of its pattern by method, and its named parts."""

    routes: Mapping[Any, Route]
    parts: Mapping[str, str]

    @property
    def pattern(self) -> str:
        """The pattern, for the log."""
        return next(iter(self.routes.values())).pattern

    @property
    def is_everybodys(self) -> bool:
        """Whether there is such a thing for keys of all organizations alone."""
        return all(route.everybody for route in self.routes.values())


def find(routes: Sequence[Route], path: str) -> Found | None:
    """Returns where a path leads: a pattern without a variable counts before one with it."""
    fits = [(route, parts) for route in routes if (parts := route.parts(path)) is not None]
    if not fits:
        return None
    best = min((route.pattern for route, _ in fits), key=lambda pattern: pattern.count("{"))
    same = [(route, parts) for route, parts in fits if route.pattern == best]
    return Found({route.method: route for route, _ in same}, same[0][1])


@lru_cache(maxsize=1_000)
def _expression(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+\*?)\}", pattern)
    texts = [_part(p) if n % 2 else re.escape(p) for n, p in enumerate(pieces)]
    return re.compile("".join(texts))


def _part(name: str) -> str:
    """Returns the expression of a named part; one with a star may hold slashes."""
    return f"(?P<{name[:-1]}>.+)" if name.endswith("*") else f"(?P<{name}>[^/]+)"
