"""Every route against whoever may come: what it answers follows from what it declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from refresher.rules.access import Scope
from refresher.web.dashboard.app import OF_THE_SESSION
from refresher.web.dashboard.routes import ROUTES
from refresher.web.dashboard.routing import Route, find
from tests.dashboard.kit import PUBLIC, Person, read
from tests.dashboard.things import ORGANIZATION, Things, has_owner
from tests.web.kit import Site

IN = {200, 303, 409, 422}
"""What somebody gets who is let in: a page, another one, or why it cannot be at the moment."""
STALE = "Form out of date"
"""What a form without its token is answered: its sender was let in, and nothing was done."""


@dataclass(frozen=True)
class Who:
    """Somebody who comes."""

    name: str
    scopes: frozenset[Scope] = frozenset()
    organization_id: str | None = None
    read_only: bool = False

    def __str__(self) -> str:
        return self.name


PEOPLE = (
    Who("reader", frozenset({Scope.READ})),
    Who("writer", frozenset({Scope.READ, Scope.WRITE, Scope.CONNECT})),
    Who("connector", frozenset({Scope.READ, Scope.CONNECT})),
    Who("admin", frozenset(PUBLIC)),
    Who("bound", frozenset(PUBLIC), ORGANIZATION),
    Who("read-only", frozenset(PUBLIC), read_only=True),
    Who("another organization", frozenset(PUBLIC), "another"),
)


@pytest.fixture(scope="module")
def things(shared: Site) -> Things:
    """What addresses name, once for all."""
    return Things(shared)


def expected(route: Route, who: Who) -> set[int]:
    """Returns what a route may answer somebody who is signed in, by its declaration alone."""
    is_bound = who.organization_id is not None
    if who.read_only and route.method != "GET" and route.pattern not in OF_THE_SESSION:
        return {403}
    found = find(ROUTES, route.pattern)
    assert found is not None
    if is_bound and found.is_everybodys:
        return {404}
    scopes = {Scope.READ} if who.read_only else who.scopes
    if not {route.scope, route.or_scope} & scopes or (route.scope is Scope.ADMIN and is_bound):
        return {403}
    return {404} if who.organization_id == "another" and has_owner(route) else IN


@pytest.mark.parametrize("who", PEOPLE, ids=str)
def test_who_is_signed_in(shared: Site, things: Things, who: Who) -> None:
    """Let in, forbidden, or there is nothing here: as the route's scope and owner say."""
    person = Person.signed_in(shared, who.scopes, who.organization_id, read_only=who.read_only)
    wrong = {}
    for route in ROUTES:
        wanted, ask = expected(route, who), _asking(person, things.path(route))
        if route.method == "GET":
            got = ask("GET")
        elif wanted == IN:
            got = ask("without token")
        else:
            got = ask("POST")
        if got not in wanted:
            wrong[f"{route.method} {route.pattern}"] = (got, wanted)
    assert wrong == {}


def test_who_is_not(shared: Site, things: Things) -> None:
    """Pages lead to the sign-in, forms say that nothing was done."""
    nobody = Person(shared)
    wrong = {}
    for route in ROUTES:
        path = things.path(route)
        if route.method == "GET":
            answer = nobody.get(path)
            is_well = answer.headers.get("location", "").startswith("/ui/sign-in")
        else:
            answer = nobody.send("POST", path, {"zone": "UTC"})
            is_well = answer.status_code == 401
        if not is_well:
            wrong[f"{route.method} {route.pattern}"] = answer.status_code
    assert wrong == {}


def test_parts_are_as_guarded_as_pages(shared: Site, things: Things) -> None:
    """What a script asks for is refused to the same people, with the same statuses."""
    wrong = {}
    for who in PEOPLE:
        person = Person.signed_in(shared, who.scopes, who.organization_id, read_only=who.read_only)
        for route in ROUTES:
            if route.method != "GET":
                continue
            path = things.path(route).removeprefix("/ui") or "/overview"
            status, wanted = person.get(f"/ui/live{path}").status_code, expected(route, who)
            if status not in wanted:
                wrong[f"{who} {route.pattern}"] = (status, wanted)
    assert wrong == {}


def _asking(person: Person, path: str) -> Callable[[str], int]:
    """Returns what asks an address; a form that is let in is told by its missing token."""

    def ask(how: str) -> int:
        if how == "GET":
            return person.get(path).status_code
        if how == "POST":
            return person.post(path).status_code
        answer = person.send("POST", path, {})
        let_in = answer.status_code == 403 and STALE in read(answer).title
        return 200 if let_in else answer.status_code

    return ask
