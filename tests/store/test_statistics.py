"""The figures of a report: refreshes, lateness, time spent expired, lives left, stored pairs."""

import pytest

from refresher.store import sealed, statistics, workers
from tests.world import START, refused


def since_start(world):
    """What happened since the world began."""
    with world.services.database.transaction() as db:
        return statistics.refreshes_since(db, START)


def lives(world, **wanted):
    """How much life the tokens have left."""
    with world.services.database.transaction() as db:
        return statistics.lives(db, **{"span_seconds": 100.0, "parts": 4, **wanted})


def test_nothing_that_happened_adds_up_to_nothing(world):
    """Without a refresh the sums are zero and the percentiles unknown."""
    found = since_start(world)
    assert (found.refreshed, found.per_second, found.expired_seconds) == (0, 0.0, 0.0)
    assert found.lateness_p50_seconds is None
    assert found.lateness_p99_seconds is None


def test_refreshes_add_up(world):
    """Lateness counts from the due time, expired seconds from the token's end, kinds by their name."""
    # Given: two connections, refreshed a minute after their tokens ended
    for name in ("a", "b"):
        world.connect(name)
    due = [row.due_at for row in world.rows("select due_at from refresh_schedule order by due_at")]
    world.pass_time(3660)
    # When
    world.tick()
    # Then
    found = since_start(world)
    late = [3660 - (at - START).total_seconds() for at in due]
    assert found.refreshed == 2
    assert found.kinds == {"imported": 2, "refreshed": 2}
    assert found.expired_seconds == pytest.approx(120, abs=5)
    assert found.lateness_p50_seconds == pytest.approx(sum(late) / 2, abs=1)
    assert found.lateness_p99_seconds == pytest.approx(max(late), abs=10)


def test_only_what_happened_since_counts(world):
    """A refresh before the given instant is in no sum, and an old one in no rate."""
    # Given
    world.connect()
    world.pass_time(3000)
    world.tick()
    assert since_start(world).per_second > 0
    # When
    world.pass_time(60)
    # Then
    assert since_start(world).per_second == 0
    now = world.services.database.simulated_now
    with world.services.database.transaction() as db:
        assert statistics.refreshes_since(db, now).refreshed == 0


def test_lives_are_counted_by_what_is_left(world):
    """Each token stands in its part of the span, longer lives in the last, dead ones apart."""
    # Given
    for name, left in {"a": 10, "b": 30, "c": 99, "d": 5000, "e": 5}.items():
        world.connect(name, expires_in=left)
    world.pass_time(7)
    # When
    found = lives(world)
    # Then: 3, 23, 92 and 4993 seconds are left; one ended two seconds ago
    assert found.counts == (2, 0, 0, 2)
    assert (found.expired, found.expired_seconds) == (1, 2.0)
    assert found.nearest_expiry_seconds == -2.0


def test_no_token_has_no_nearest_expiry(world):
    """An empty database has no lives, and no shortest one."""
    assert lives(world) == statistics.Lives(0, 0.0, None, (0, 0, 0, 0))


def test_the_newest_events_come_first_with_their_names(world):
    """Events are told by the name people know, with their age, the reason and what comes next."""
    # Given
    world.connect("page-1")
    world.pass_time(3000)
    world.script.answer = lambda _: refused("temporarily_unavailable", 503)
    world.tick()
    world.pass_time(4)
    # When
    with world.services.database.transaction() as db:
        newest, first = statistics.newest_events(db, limit=5)
    # Then
    assert (newest.external_id, newest.kind, first.kind) == ("page-1", "transient", "imported")
    assert newest.age_seconds == pytest.approx(4)
    assert newest.reason
    assert newest.due_in_seconds is not None
    assert newest.due_in_seconds > 0


def test_registered_processes_are_those_that_did_not_stop(world):
    """A process counts from its registration to its clean stop."""
    world.run(
        "insert into worker (id, lock_key, role, host, process_id, stopped_at) values "
        "(gen_random_uuid(), 1, 'scheduler', 'h', 11, null), "
        "(gen_random_uuid(), 2, 'scheduler', 'h', 12, refresher_now())"
    )
    with world.services.database.transaction() as db:
        assert {process.process_id for process in workers.processes(db)} == {11}


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_stored_pairs_are_read_whole_whatever_the_page(world, page_size):
    """Every living connection with tokens of its own comes once; siblings and deleted ones do not."""
    # Given
    ids = {world.connect(name): name for name in ("a", "b", "c")}
    world.connect(
        "sibling", root_external_id="a", access_token=None, refresh_token=None, expires_in=None
    )
    world.run(
        "update connection set deleted_at = now() where id = :id", id=world.connect("deleted")
    )
    # When
    found = list(sealed.stored_pairs(world.services.database, page_size=page_size))
    # Then
    assert {pair.id: pair.external_id for pair in found} == ids
    opened = world.services.cipher.open(found[0].refresh_token, found[0].id, "refresh_token")
    assert opened.reveal() == f"refresh-of-{found[0].external_id}"
