"""One of each thing that an address of the dashboard can name, and which addresses there are.

Whoever adds a route with a part that is new here says in `MADE` how to make what it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from uuid import UUID

from refresher.connections import bulk
from refresher.connections.resume_links import make_link
from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Order, Selection
from refresher.store import recipients
from refresher.web.dashboard.routes import ROUTES
from refresher.web.dashboard.routing import Route
from tests.dashboard.kit import HERE, Person, read
from tests.web.kit import ADDRESS, HOOK, Site, _kept, _session
from tests.world import START

ORGANIZATION = "org"
LIVE = [route for route in ROUTES if route.method == "GET"]


class Things:
    """Everything of one organization, made when it is first asked for."""

    def __init__(self, site: Site, words: str = "private words") -> None:
        self.site, self.words = site, words

    def path(self, route: Route) -> str:
        """Returns an address that fits a route, and leads to something that there is."""
        prefix = next((one for one in MADE if _begins(route.pattern, one)), None)
        assert prefix is not None or "{" not in route.pattern, (
            f"{route.pattern}: say in {__name__}.MADE how to make what it names"
        )
        if prefix is None:
            return route.pattern
        path = re.sub(re.escape(prefix), lambda _: MADE[prefix](self), route.pattern, count=1)
        assert "{" not in path, f"{route.pattern}: say in {__name__}.MADE how to make all it names"
        return path

    @cached_property
    def connection(self) -> UUID:
        """A connection."""
        return self.site.world.connect(
            "foreign", name=self.words, metadata={"note": self.words}, organization_id=ORGANIZATION
        )

    @cached_property
    def endpoint(self) -> UUID:
        """A webhook endpoint."""
        services = self.site.world.services
        wanted = WantedEndpoint(HOOK, ["*"], ORGANIZATION, self.words)
        egress = self.site.api.state.egress
        added = endpoints.add(services.database, services.cipher, egress, wanted, self.site.actor)
        return added[0]

    @cached_property
    def recipient(self) -> UUID:
        """A recipient of mail."""
        with self.site.world.services.database.transaction() as db:
            return recipients.add(db, ORGANIZATION, ADDRESS, {})[0].id

    @cached_property
    def session(self) -> UUID:
        """A connect session."""
        return _session(self.site.world.services, ORGANIZATION, self.site.actor)

    @cached_property
    def answer(self) -> UUID:
        """An answer that nobody could read."""
        with self.site.world.services.database.transaction() as db:
            return _kept(db, self.connection)

    @cached_property
    def link(self) -> UUID:
        """A resume link."""
        services = self.site.world.services
        return make_link(services, self.connection, seconds=3_600, by=self.site.actor).id

    @cached_property
    def job(self) -> int:
        """A bulk job."""
        chosen = Selection(ids=(self.connection,), organization_id=ORGANIZATION)
        order = Order(Deed.PAUSE, chosen, START, 1)
        by = replace(self.site.actor, organization_id=ORGANIZATION)
        return bulk.ordered(self.site.world.services.database, by, order).id

    @cached_property
    def key(self) -> str:
        """The id of an API key."""
        return self.site.new_key(organization_id=ORGANIZATION).split("_")[1]


MADE: dict[str, Callable[[Things], str]] = {
    "/ui/connections/{id}": lambda things: f"/ui/connections/{things.connection}",
    "/ui/connect/{session}": lambda things: f"/ui/connect/{things.session}",
    "/ui/webhooks/{id}": lambda things: f"/ui/webhooks/{things.endpoint}",
    "/ui/recipients/{id}": lambda things: f"/ui/recipients/{things.recipient}",
    "/ui/answers/{id}": lambda things: f"/ui/answers/{things.answer}",
    "/ui/bulk/{job}": lambda things: f"/ui/bulk/{things.job}",
    "/ui/organizations/{id*}": lambda _: f"/ui/organizations/{ORGANIZATION}",
    "/ui/keys/{id}": lambda things: f"/ui/keys/{things.key}",
    "/ui/providers/{name}": lambda _: "/ui/providers/acme",
    "/ui/apps/{provider}/{name}": lambda _: "/ui/apps/acme/default",
}
SHARED = ("/ui/keys/{id}", "/ui/providers/{name}", "/ui/apps/{provider}/{name}")
"""Of these nobody is the owner."""


def has_owner(route: Route) -> bool:
    """Whether a route names something that belongs to one organization."""
    return "{" in route.pattern and not route.pattern.startswith(SHARED)


def _begins(pattern: str, prefix: str) -> bool:
    return pattern == prefix or pattern.startswith(f"{prefix}/")


def crawled(person: Person, things: Things, most: int = 150) -> dict[str, str]:
    """Returns every page of the dashboard that there is by its address, with its live parts."""
    wanted = [things.path(route) for route in LIVE]
    found: dict[str, str] = {}
    while wanted and len(found) < most:
        path = wanted.pop(0).partition("#")[0]
        if path in found:
            continue
        answer = person.get(path)
        assert answer.status_code not in {429, 500, 503}, (path, answer.status_code)
        found[path] = f"{answer.headers}\n{answer.text}"
        live = person.get(f"/ui/live{path.removeprefix('/ui') or '/overview'}")
        assert live.status_code not in {429, 500, 503}, (path, live.status_code)
        found[f"live {path}"] = live.text
        links = read(answer).links.values() if answer.status_code == 200 else ()
        wanted += [link.removeprefix(HERE) for link in links if link.startswith(f"{HERE}/ui")]
    return found
