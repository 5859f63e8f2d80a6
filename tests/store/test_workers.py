"""Which processes live, by their locks and sessions: `store/workers.py` on real Postgres."""

from uuid import UUID, uuid4

from refresher.store import workers
from refresher.store.pool import Pool
from tests.waiting import wait_until
from tests.world import World


def register(world: World) -> UUID:
    """Registers a process that is not this one."""
    with world.services.database.transaction() as db:
        other = uuid4()
        workers.register(db, other, role="worker", host="here", process_id=1)
        return other


def is_missing(world: World, process: UUID) -> bool:
    """Whether nothing of the process is left; the moment after the server's start is over."""
    with world.services.database.transaction() as db:
        return process in workers.holders(db).missing


def wait_until_missing(world: World, process: UUID) -> None:
    """Waits until the server has noticed that the process is gone."""
    wait_until(lambda: is_missing(world, process), 30)


def test_a_process_without_any_session_is_missing(world: World) -> None:
    """Registered once, and neither lock nor session there: it is dead, or never came back."""
    wait_until_missing(world, register(world))


def test_a_process_that_lost_its_lock_lives_while_it_has_a_session(world: World) -> None:
    """One ended session kills nobody; with the last one the process is missing."""
    other = register(world)
    wait_until_missing(world, other)
    pool = Pool(world.services.database.url, name=workers.session_name(other))
    with pool.transaction():
        assert not is_missing(world, other)
    pool.close()
    wait_until_missing(world, other)


def test_the_lock_alone_shows_that_a_process_lives(world: World) -> None:
    """A process that rests holds nothing but its lock."""
    other = register(world)
    wait_until_missing(world, other)
    with world.services.database.session() as db:
        key = workers.register(db, other, role="worker", host="here", process_id=1)
        assert workers.take_lock(db, key)
        assert not is_missing(world, other)
    wait_until_missing(world, other)


def test_a_process_takes_its_lock_back_from_the_session_that_a_lost_network_left(
    world: World,
) -> None:
    """The server does not know that the former one's machine is gone; nobody else is ended."""
    us, other = register(world), register(world)
    url = world.services.database.url
    ours, its = (Pool(url, name=workers.session_name(id_)) for id_ in (us, other))
    with ours.session() as former, its.session() as foreign, ours.session() as db:
        keys = [
            workers.register(session, id_, role="worker", host="here", process_id=1)
            for session, id_ in ((former, us), (foreign, other))
        ]
        assert workers.take_lock(former, keys[0])
        assert workers.take_lock(foreign, keys[1])
        assert workers.end_former_session(db, keys[1]) == 0
        assert workers.end_former_session(db, keys[0]) == 1
        wait_until(lambda: workers.take_lock(db, keys[0]))
        former.invalidate()
    ours.close()
    its.close()
