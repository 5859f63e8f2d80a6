"""A person at the provider for tests: leaves by a link, and comes back with what is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from refresher.connections import connect, visits
from refresher.connections.connect import Made, Order
from refresher.connections.visits import Leave
from refresher.rules.access import Actor
from refresher.rules.connect import Result, Session
from refresher.rules.connect_steps import Arrival
from refresher.rules.connection import Sealed
from refresher.rules.consent import Consent, Identity
from refresher.store import connect_steps
from tests.world import World

ANN = Actor("cli:ann", "org")
IDENTITY = Identity(found_in=("answer",), paths=(("user_id",),))
PAGE = "https://app.example/settings"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636, appendix B."""


@contextmanager
def able(database_url: str, **settings: object) -> Iterator[World]:
    """A world in which people can connect at acme."""
    given = {
        "public_url": "https://refresher.example",
        "connect_return_urls": (PAGE, "com.acme.app:/done"),
        **settings,
    }
    world = World(database_url, **given)
    describe(world)
    try:
        yield world
    finally:
        world.close()


def describe(world: World, *, connect: dict[str, Any] | None = None, **facts: Any) -> None:
    """Gives acme an entry for consents."""
    consent = Consent(**{"identity": IDENTITY, "scopes": ("openid",), **(connect or {})})
    url = "https://acme.example/authorize"
    world.describe("acme", **{"connect": consent, "authorize_url": url, "title": "Acme", **facts})


def make(world: World, **given: Any) -> Made:
    """Returns a session of Ann's."""
    return connect.make(world.services, Order(**{"provider": "acme", **given}), ANN)


def link_of(made: Made) -> str:
    """Returns the last part of a session's URL."""
    return made.url.rpartition("/")[2]


def now(world: World, made: Made) -> Session:
    """Returns the session as it is stored."""
    return connect.find(world.services, made.session.id, ANN)


def held(world: World, sent: Any, result: Result | None = None) -> None:
    """Has the code's answer be kept, and judged."""
    with world.services.database.transaction() as db:
        assert connect_steps.hold(db, sent.session_id, sent.attempt.id, Sealed(b"x" * 40))
        if result is not None:
            assert connect_steps.ready(db, sent.session_id, result)


@dataclass
class Visitor:
    """One browser."""

    world: World
    cookies: dict[str, str] = field(default_factory=dict)

    def leave(self, made: Made, **given: Any) -> dict[str, str]:
        """Presses the button; returns what the provider is told."""
        return self.went(visits.start(self.world.services, link_of(made), **given))

    def again(self, made: Made) -> dict[str, str]:
        """Presses the button of a result page."""
        return self.went(visits.again(self.world.services, made.session.id, self.cookies))

    def went(self, leave: Leave) -> dict[str, str]:
        """Keeps the cookie, as a browser does."""
        self.cookies[leave.cookie_name] = leave.cookie
        return {name: one[0] for name, one in parse_qs(urlsplit(leave.url).query).items()}

    def back(self, asked: dict[str, str], slug: str = "acme", **given: str) -> Arrival:
        """Comes back from the provider with a code, or with what is given."""
        pairs = {"state": asked["state"], **(given or {"code": "a-code"})}
        return visits.arrive(self.world.services, slug, [*pairs.items()], self.cookies)

    def result(self, made: Made) -> visits.ResultView:
        """Looks at the result page."""
        return visits.result(self.world.services, made.session.id, self.cookies)
