"""Short words for what tests of webhooks do: make endpoints and events, tick, let time pass."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from refresher.notify import delivery, endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.notify.webhook_channel import WEBHOOKS
from refresher.outbound.egress import Egress
from refresher.rules.access import Actor
from refresher.rules.connection import Secret
from refresher.rules.notices import Kind
from refresher.runtime.services import Services
from refresher.store import outbox
from refresher.store.leases import Lease
from tests.world import World

STEP = timedelta(seconds=60)
"""The shortest step of `live_until`: fewer looks at a day."""
LOOPBACK = Egress(loopback=True)
ANN = Actor("cli:ann")


def add(
    world: World, url: str, *events: str, organization: str | None = "org"
) -> tuple[UUID, Secret]:
    """Adds an endpoint, by default for everything of "org"; returns its id and secret."""
    wanted = WantedEndpoint(url, events or ("*",), organization)
    return endpoints.add(world.services.database, world.services.cipher, LOOPBACK, wanted, ANN)


def happen(world: World, connection_id: UUID, kind: Kind = Kind.RECOVERED, **facts: object) -> UUID:
    """Has something happen to a connection; returns the event's id."""
    with world.services.database.transaction() as db:
        news = outbox.News(("connection", str(connection_id)), kind, facts)
        (event_id,) = outbox.append(db, [news])
    return event_id


def batches(services: Services) -> list[list[Lease]]:
    """Plans and claims what is due; returns what is handed over, and to nobody."""
    found: list[list[Lease]] = []
    delivery.plan(services, WEBHOOKS)
    delivery.dispatch(
        services, WEBHOOKS, lambda handed: found.extend(list(batch) for batch in handed)
    )
    return found


def claims(services: Services) -> list[Lease]:
    """Plans and claims what is due, and hands it to nobody."""
    return [lease for batch in batches(services) for lease in batch]


def claim(world: World) -> list[Lease]:
    """Plans and claims what is due, and hands it to nobody."""
    return claims(world.services)


def deliver(services: Services, held: Sequence[Lease]) -> Counter[str]:
    """Sends what was claimed."""
    return delivery.deliver(services, WEBHOOKS, held)


def tick(world: World) -> Counter[str]:
    """Plans, claims and sends what is due, until nothing can go at this instant."""
    tally: Counter[str] = Counter()
    while found := claim(world):
        tally += deliver(world.services, found)
    return tally


def live_until(world: World, end: datetime) -> Counter[str]:
    """Lets time pass, from one due message to the next."""
    tally: Counter[str] = Counter()
    while True:
        tally += tick(world)
        sql = "select min(due_at) as at from webhook_delivery where state = 0"
        due = world.one(sql).at
        if due is None or due > end:
            world.set_now(end)
            return tally
        world.set_now(max(due, now(world) + STEP))


def now(world: World) -> datetime:
    """Returns where the clock stands."""
    at = world.services.database.simulated_now
    assert at is not None
    return at


def endpoint(world: World, endpoint_id: UUID) -> Any:
    """Returns an endpoint as people see it."""
    return endpoints.find(world.services.database, endpoint_id)


def message(world: World, event_id: UUID) -> Any:
    """Returns the message of an event that went to one endpoint."""
    return world.one("select * from webhook_delivery where event_id = :id", id=event_id)


def states(world: World) -> Counter[int]:
    """Returns how many messages are in each state."""
    rows = world.rows("select state, count(*) as n from webhook_delivery group by state")
    return Counter({row.state: row.n for row in rows})
