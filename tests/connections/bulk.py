"""Bulk jobs in tests: ordered by somebody, worked off at once, and what is left of them."""

from uuid import UUID

from refresher.connections import api_keys, bulk, bulk_work
from refresher.rules.access import Actor, ApiKey, Scope
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Selection
from refresher.store.bulk import Job
from tests.world import World

ANN = Actor("cli:ann")


def new_key(world: World, organization_id: str | None = None) -> ApiKey:
    """An API key that may write."""
    made = api_keys.create(
        world.services.database,
        name="ops",
        scopes=[Scope.READ, Scope.WRITE],
        organization_id=organization_id,
        by=ANN,
    )
    return made.key


def look(world: World, deed: Deed, by: Actor = ANN, **filters: str) -> bulk.Preview:
    """The preview of a deed for all that match."""
    services = world.services
    return bulk.preview(services.database, services.catalogue, by, deed, Selection(**filters))  # type: ignore[arg-type]


def begin(
    world: World, deed: Deed, by: Actor = ANN, typed: int | None = None, **filters: str
) -> Job:
    """Begins a job for all that match now."""
    return bulk.begin(world.services.database, by, look(world, deed, by, **filters).plan, typed)


def choose(world: World, deed: Deed, *ids: UUID, typed: int | None = None) -> Job:
    """Begins a job for these."""
    services = world.services
    seen = bulk.preview(services.database, services.catalogue, ANN, deed, Selection(ids=ids))
    return bulk.begin(services.database, ANN, seen.plan, typed)


def work_off(world: World, job: Job, *, pass_time: bool = True) -> Job:
    """Works the job off to its end, the clock moved on where a batch waits."""
    services = world.services
    for _ in range(1_000):
        if bulk_work.work(services.database, services.catalogue, job.id):
            continue
        now = bulk.find(services.database, ANN, job.id)
        if now.ended_at is not None or not pass_time:
            return now
        world.pass_time(60)
    raise AssertionError("it does not end")


def audited(world: World) -> list[tuple[str, UUID, str]]:
    """What stands in the audit of connections, in order."""
    sql = "select action, connection_id, subject from audit where connection_id is not null order by id"
    return [(r.action, r.connection_id, r.subject) for r in world.rows(sql)]
