"""What an open page is told that asks for news: its parts that may be swapped, or that all is the same.

Works for every page by itself: parts are the blocks of its template whose names begin with `part_`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256

from markupsafe import Markup
from starlette.responses import Response

from refresher.web.dashboard.routing import Fragment, Route
from refresher.web.dashboard.visit import Visit

AGE = "age"
"""The part that says when a page was made: it alone is no news."""
ONCE = re.compile(r'name="once" value="[^"]*"')
"""What is another in every form, whatever it is the form of."""
OLD_SECONDS, PATIENCE_SECONDS = 60.0, 0.1
MOST_ALIKE = 32
HEADERS = {"content-type": "text/html; charset=utf-8"}


def numbers(visit: Visit) -> Mapping[str, int]:
    """Returns the numbers of the left column, of the last look; waits only where that is old."""
    looks, whose = visit.shared.looks, visit.key.organization_id
    seen = looks.seen(whose, patience_seconds=0.0)
    if seen.look is None or seen.age_seconds > OLD_SECONDS:
        seen = looks.seen(whose, patience_seconds=PATIENCE_SECONDS)
    return {} if seen.look is None else seen.look.counted


def same(visit: Visit, route: Route | None, counted: Mapping[str, int]) -> str | None:
    """Returns the entity tag of what a page shows, where its route can tell that at little cost."""
    if route is None or route.same is None or (name := route.same(visit)) is None:
        return None
    return _tag(f"{name} {sorted(counted.items())}")


def parts(made: Mapping[str, str], etag: str | None) -> Fragment:
    """Returns the parts as HTML, with an entity tag of what is in them where there is none."""
    news = "".join(f"{name}\0{ONCE.sub('', text)}\0" for name, text in made.items() if name != AGE)
    texts = [
        Markup('<template data-part="{}">{}</template>').format(name, Markup(text))  # noqa: S704  a rendered part
        for name, text in made.items()
    ]
    return Fragment("\n".join(texts), etag or _tag(news))


class Alike:
    """Keeps the parts that many are shown alike. Safe to use from every thread."""

    def __init__(self) -> None:
        self._kept: dict[object, Fragment] = {}

    def find(self, visit: Visit, etag: str) -> Fragment | None:
        """Returns what was made for somebody like this visitor."""
        return self._kept.get(_like(visit, etag))

    def keep(self, visit: Visit, etag: str, made: Fragment) -> None:
        """Keeps it, and the newest of what is kept already."""
        rest = list(self._kept.items())[1 - MOST_ALIKE :]
        self._kept = {**dict(rest), _like(visit, etag): made}


def _like(visit: Visit, etag: str) -> tuple[object, ...]:
    key = visit.key
    address = visit.path, tuple(visit.query_pairs), etag, str(visit.zone)
    return (*address, key.scopes, key.organization_id, visit.session.read_only)


def answer(visit: Visit, told: Fragment) -> Response:
    """Returns what is sent: 304 where it is what the page has. Both say as of when."""
    etag = told.etag or _tag(told.html)
    headers = {"etag": etag, "x-updated": _updated(visit)}
    if visit.etag == etag and told.status == 200:
        return Response(status_code=304, headers=headers)
    return Response(told.html, told.status, {**headers, **HEADERS})


def _updated(visit: Visit) -> str:
    """Returns the instant for programs, and as this page writes it."""
    exact = visit.now.astimezone(UTC)
    return f"{exact:%Y-%m-%dT%H:%M:%SZ} {visit.now.astimezone(visit.zone):%H:%M:%S}"


def _tag(text: str) -> str:
    return f'"{sha256(text.encode()).hexdigest()[:32]}"'
