"""Events: a partition a day, none that is missing holds anything up, and old ones go."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from refresher.connections import lifecycle
from refresher.refresh import retention
from refresher.refresh.steps import refresh
from refresher.rules.access import somebody
from refresher.rules.history import steps
from refresher.store import events, partitions
from tests.waiting import wait_until
from tests.world import START, World, refused


def parts(world: World) -> list[str]:
    """The partitions that are attached, by name."""
    with world.services.database.transaction() as db:
        return [p.name for p in partitions.every(db)]


def test_days_are_made_ahead_and_twice_makes_none_more(world: World) -> None:
    """Today and the next three days are there after a tidy, and an event finds its own."""
    retention.keep_events(world.services)
    made = parts(world)
    retention.keep_events(world.services)
    assert parts(world) == made
    assert made == [*(f"refresh_event_203001{n:02}" for n in range(1, 5)), "refresh_event_default"]
    world.connect()
    (row,) = world.rows("select tableoid::regclass::text as part from refresh_event")
    assert row.part == "refresh_event_20300101"


def test_no_partition_missing_holds_a_refresh_up(world: World) -> None:
    """Without a day of its own an event goes to the default partition, where its day stays."""
    id_ = world.connect(expires_in=0)
    world.tick()
    assert world.events(id_) == ["imported", "refreshed"]
    retention.keep_events(world.services)
    assert parts(world)[0] == "refresh_event_20300102", "today's rows are in the default partition"
    world.pass_time(86_400)
    world.tick()
    assert world.events(id_) == ["imported", "refreshed", "refreshed"]


def test_an_event_that_its_day_overtakes_is_stored_all_the_same(world: World) -> None:
    """Its day is attached while it is on its way to the default partition: all is tried again."""
    id_ = world.connect()
    world.pass_time(86_400)
    database, waits = world.services.database, "select count(*) from pg_locks where not granted"
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as db:
            assert partitions.make(db, START + timedelta(days=1)) == "refresh_event_20300102"
            done = pool.submit(lifecycle.pause, database, somebody("cli", "ann"), id_)
            wait_until(lambda: world.one(waits).count, 10)
        done.result(10)
    assert world.events(id_) == ["imported", "paused"]
    rows = world.rows("select tableoid::regclass::text as part from refresh_event order by id")
    assert rows[-1].part == "refresh_event_20300102"


def test_old_days_are_dropped_and_old_rows_deleted(world: World) -> None:
    """What ended before the retention is gone, in days and in the default partition; the rest stays."""
    old = world.connect("old")
    retention.keep_events(world.services)
    world.pass_time(86_400)
    kept = world.connect("kept")
    world.set_now(START + timedelta(days=91, hours=1))
    retention.keep_events(world.services)
    assert world.events(old) == []
    assert world.events(kept) == ["imported"]
    world.set_now(START + timedelta(days=93))
    retention.keep_events(world.services)
    assert world.events(kept) == []
    (row,) = world.rows("select to_regclass('refresh_event_20300102') as part")
    assert row.part is None


def test_who_cannot_have_the_lock_tries_again_later(world: World) -> None:
    """A tidy beside a long look at the events gives up within a moment, and raises nothing."""
    retention.keep_events(world.services)
    world.set_now(START + timedelta(days=100))
    with world.services.database.session() as db:
        db.exec_driver_sql("begin")
        db.exec_driver_sql("select count(*) from refresh_event")
        retention.keep_events(world.services)
        assert "refresh_event_20300101" in parts(world)
        db.exec_driver_sql("rollback")
    retention.keep_events(world.services)
    assert "refresh_event_20300101" not in parts(world)


def test_one_row_holds_the_steps_of_an_attempt(world: World) -> None:
    """Claimed, begun, replied and committed stand in the outcome's own row."""
    id_ = world.connect(expires_in=0)
    claims = world.claim()
    world.pass_time(2)
    refresh(world.services, claims)
    with world.services.database.transaction() as db:
        event = events.recent(db, id_)[0]
    assert [s.name for s in steps(event)] == ["claimed", "begun", "replied", "committed"]
    assert steps(event)[1].after_seconds == 2
    assert event.lease_until == START + timedelta(seconds=60)


@pytest.mark.parametrize(
    "code", ["bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.abc1.def2", "<b>x</b>"]
)
def test_an_error_code_is_recorded_in_a_safe_alphabet(world: World, code: str) -> None:
    """What a provider calls an error code can neither be a token nor markup in the record."""
    id_ = world.connect(expires_in=0)
    world.script.answer = lambda _request: refused(code)
    world.tick()
    with world.services.database.transaction() as db:
        recorded = events.recent(db, id_)[0].recorded
    assert recorded is not None
    assert "eyJ" not in str(recorded)
    assert "<" not in str(recorded["error"])


def test_an_event_of_the_whole_service_belongs_to_no_connection(world: World) -> None:
    """A rotated key is one row a run."""
    with world.services.database.transaction() as db:
        events.note(db, "key_rotated", "3 secrets sealed anew")
    (row,) = world.rows("select connection_id, kind, reason from refresh_event")
    assert (row.connection_id, row.kind) == (None, "key_rotated")
