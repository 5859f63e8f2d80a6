"""The one door to a connection, as several callers go through it at the same moment."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest

from refresher.connections import lifecycle, registration
from refresher.connections.lifecycle import HoldsGrant
from refresher.errors import NoSuchConnection, RefresherError
from refresher.rules.registration import NewConnection, read
from refresher.runtime.whoever import whoever
from refresher.store import connections, state_changes
from refresher.store.session import run
from tests.waiting import wait_until
from tests.world import World

WHO = whoever("cli")
ROUNDS = 12


def sibling(root: str) -> NewConnection:
    """A connection without tokens that uses the grant of `root`."""
    names = {"organization_id": "org", "provider": "acme", "external_id": f"{root}-sibling"}
    return read({**names, "root_external_id": root})


def is_living(world: World, connection_id: UUID) -> bool:
    """Whether a connection is stored and was not deleted."""
    sql = "select 1 from connection where id = :id and deleted_at is null"
    return bool(world.rows(sql, id=connection_id))


def waits_for_a_lock(world: World) -> bool:
    """Whether a session of this database waits for somebody else's row."""
    sql = "select 1 from pg_stat_activity where wait_event_type = 'Lock' "
    return bool(world.rows(sql + "and datname = current_database()"))


def outcome(future: Future[object]) -> type[BaseException] | None:
    """What a call raised, None when it did its work."""
    error = future.exception(60)
    assert error is None or isinstance(error, RefresherError), error
    return None if error is None else type(error)


def test_two_deletes_and_a_new_sibling_leave_no_sibling_without_a_root(world: World) -> None:
    """Whoever comes first: a root is deleted once and has no sibling, or has one and lives."""
    database = world.services.database
    for number in range(ROUNDS):
        name, new = f"root{number}", sibling(f"root{number}")
        root, barrier = world.connect(name), Barrier(3)

        def at_once(work: Callable[..., object], *given: object) -> object:
            barrier.wait(60)  # noqa: B023  all is awaited within the round
            return work(*given)

        with ThreadPoolExecutor(3) as threads:
            deletes = [
                threads.submit(at_once, lifecycle.delete, database, WHO, root) for _ in range(2)
            ]
            coming = threads.submit(at_once, registration.take, world.services, [new])

        assert coming.exception(60) is None
        told = {outcome(delete) for delete in deletes}
        if is_living(world, new.id):
            assert told == {HoldsGrant}
            assert is_living(world, root)
        else:
            assert told == {None, NoSuchConnection}
        entries = world.rows("select 1 from audit where connection_id = :id", id=root)
        assert len(entries) == world.events(root).count("deleted") == (None in told)


def test_a_sibling_waits_for_the_delete_of_its_root(world: World) -> None:
    """A sibling that comes while its root is being deleted is refused, not stored without one."""
    root, database = world.connect("root"), world.services.database
    with ThreadPoolExecutor(1) as threads:
        with database.transaction() as db:
            connections.locked(db, root, None)
            state_changes.stop(db, root, "deleted")
            coming = threads.submit(registration.take, world.services, [sibling("root")])
            wait_until(lambda: waits_for_a_lock(world))
        taken = coming.result(60)

    assert "import the root first" in taken.rejected[0]
    assert not is_living(world, sibling("root").id)


def test_a_delete_waits_for_a_sibling_that_comes(world: World) -> None:
    """A root whose sibling is being stored is not deleted: the delete sees it, and names it."""
    root, database = world.connect("root"), world.services.database
    with ThreadPoolExecutor(1) as threads:
        with database.transaction() as db:
            registration.take_within(world.services, db, [sibling("root")])
            going = threads.submit(lifecycle.delete, database, WHO, root)
            wait_until(lambda: waits_for_a_lock(world))
        with pytest.raises(HoldsGrant, match=str(sibling("root").id)):
            going.result(60)
    assert is_living(world, root)


@pytest.mark.parametrize("reason", ["unstored", "unread_answer", "lost_answer"])
@pytest.mark.parametrize(("how", "end"), [("paused", "resume"), ("disabled", "enable")])
def test_a_stop_forgets_no_spent_token(world: World, reason: str, how: str, end: str) -> None:
    """What was parked because its stored token may be spent still says so when the stop ends."""
    id_ = world.connect("a")
    park = "update refresh_schedule set state = 2, due_at = null, parked_reason = :reason"
    with world.services.database.transaction() as db:
        run(db, park, reason=reason)
        state_changes.stop(db, id_, how)
    assert (world.row(id_).state, world.row(id_).parked_reason) == (2, reason)
    with world.services.database.transaction() as db:
        getattr(state_changes, end)(db, id_)
    is_due = end == "resume" and reason != "unstored"  # a person may have it tried all the same
    assert (world.row(id_).state, world.row(id_).parked_reason) == (
        (0, None) if is_due else (2, reason)
    )
    assert world.rows("select 1 from connection where paused_at is null and disabled_at is null")
