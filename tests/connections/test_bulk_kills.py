"""A bulk job that is killed, restarted and worked off by several does each connection once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from refresher.connections import bulk, bulk_work
from refresher.rules.bulk import Deed
from refresher.rules.bulk_words import JobState
from refresher.store.bulk import Job
from tests.connections.bulk import ANN, audited, begin
from tests.ports import free_port
from tests.processes import Spawner
from tests.waiting import wait_until
from tests.world import World

ROWS = 40
BARE = {"access_token": None, "refresh_token": None, "expires_in": None}


def fill(world: World) -> list[UUID]:
    """Connections, some of which share a grant."""
    roots = [world.connect(f"root{n}") for n in range(ROWS - 8)]
    return roots + [
        world.connect(f"page{n}", root_external_id=f"root{n // 2}", **BARE) for n in range(8)
    ]


def check_once(world: World, job: Job, ids: list[UUID]) -> None:
    """Asserts that each was done once, with one event and one line of the audit."""
    assert (job.state, job.done, job.skipped, job.failed) == (JobState.DONE, len(ids), 0, 0)
    what = job.deed.value + "d"
    assert Counter(audited(world)) == Counter((what, id_, f"bulk:{job.id}") for id_ in ids)
    events = world.rows("select connection_id from refresh_event where kind = :kind", kind=what)
    assert Counter(row.connection_id for row in events) == Counter(ids)


@pytest.mark.slow
@pytest.mark.parametrize("deed", [Deed.PAUSE, Deed.DELETE])
def test_kill_9_between_any_two_statements_does_nothing_twice(
    world: World, spawn: Spawner, deed: Deed
) -> None:
    """What a killed process had begun is undone; the next one goes on where it stood."""
    world.services.database.simulated_now = None  # the processes live in real time
    ids = fill(world)
    job = begin(world, deed, typed=ROWS)
    url = world.services.settings.database
    process = spawn("-m", "tests.connections.bulk_process", url, str(job.id))
    assert process.wait(60) == 0, process.output
    killed = int(process.output.split("killed ")[1].split(",")[0])
    assert killed > 20, process.output
    check_once(world, bulk.find(world.services.database, ANN, job.id), ids)


def test_several_never_work_one_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the job locked goes away; together they do each connection once."""
    monkeypatch.setattr(bulk_work, "BATCH", 2)
    ids = fill(world)
    job, services = begin(world, Deed.DISABLE), world.services

    def work(_: int) -> int:
        done = 0
        while bulk.find(services.database, ANN, job.id).ended_at is None:
            done += bulk_work.work(services.database, services.catalogue, job.id)
        return done

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(work, range(4)))
    assert sum(shares) == 1 + ROWS / 2
    check_once(world, bulk.find(services.database, ANN, job.id), ids)


COPIES = """
    with made as (
        insert into connection (id, organization_id, provider, external_id, expires_at, updated_at)
        select gen_random_uuid(), 'org', 'acme', 'copy-' || n, now() + interval '1 day', now()
        from generate_series(1, :number) n returning id
    )
    insert into refresh_schedule (connection_id, provider, due_at)
    select id, 'acme', now() + interval '1 day' from made
    """


@pytest.mark.slow
def test_twenty_thousand_survive_two_restarts(world: World, spawn: Spawner) -> None:
    """The scheduler is killed twice on the way; the typed number is how many it is."""
    number, services = 20_000, world.services
    services.database.simulated_now = None
    world.run(COPIES, number=number)
    world.run("analyze connection, refresh_schedule")
    environment = {
        "DATABASE_URL": services.settings.database,
        "REFRESHER_ENCRYPTION_KEYS": services.settings.encryption_keys[0].get_secret_value(),
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
    }
    job = begin(world, Deed.PAUSE, typed=number, provider="acme")

    def now() -> Job:
        return bulk.find(services.database, ANN, job.id)

    for enough in (3_000, 9_000):
        scheduler = spawn("-m", "refresher.scheduler", env=environment | {"PORT": str(free_port())})
        wait_until(lambda: now().done >= enough, 120)  # noqa: B023  called within the round
        scheduler.kill()
        assert now().done < number
    spawn("-m", "refresher.scheduler", env=environment | {"PORT": str(free_port())})
    wait_until(lambda: now().ended_at is not None, 120)
    assert (now().done, now().skipped) == (number, 0)
    once = "select count(*) as all, count(distinct connection_id) as each from {} where {}"
    for table, where in (("audit", "action = 'paused'"), ("refresh_event", "kind = 'paused'")):
        row = world.one(once.format(table, where))
        assert (row.all, row.each) == (number, number), table
