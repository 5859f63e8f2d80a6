"""Samples of the whole: what a slot comes to, hours folded to points, what falls due, thinning."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from refresher.insight import history
from refresher.rules.outcomes import Reply
from refresher.store import sample_history, samples
from refresher.store.pool import Pool
from refresher.store.samples import Sample
from tests.world import START


@pytest.fixture
def slots(world):
    """Times of refreshes: two in the first slot of the minute behind the hour, one fails in it."""
    for name in ("a", "b", "c"):
        world.connect(name, expires_in=3600)
    world.set_now(START + timedelta(hours=1, seconds=3))
    return world


def take(world):
    """Has a scheduler look, three seconds and a bit after the slot's end."""
    with world.services.database.transaction() as db:
        return samples.take(db)


def read(world, hours=1.0, provider=None):
    """The last hours as they are told."""
    return history.history(world.services, hours, provider)


def put(world, *found: Sample):
    """Stores samples as if they had been taken."""
    with world.services.database.transaction() as db:
        for one in found:
            samples._put(db, one)


def sample(at, rate=1.0, **given):
    """A slot's sample."""
    usual = {"lateness_p50_seconds": 0.2, "lateness_p99_seconds": 2.0, "late": 1, "leased": 2}
    return Sample(at, rate, 0.5, **{**usual, "due": None, "providers": {}, **given})


def test_a_slot_is_told_with_its_providers(slots):
    """Rates, lateness, and for each provider what it granted, refused, and how long it took."""
    answers = iter([Reply(503, {}, b"", elapsed_seconds=0.5)])
    grant = slots.script.answer
    slots.script.answer = lambda request: next(answers, None) or grant(request)
    slots.tick()
    slots.pass_time(16)
    found = take(slots)
    assert found.at == START + timedelta(hours=1)
    assert found.refreshed_per_second == pytest.approx(2 / 15)
    assert found.failed_per_second == pytest.approx(1 / 15)
    assert found.lateness_p99_seconds > found.lateness_p50_seconds > 0
    refreshed, failed, p50, p99 = found.providers["acme"]
    assert (refreshed, failed) == (2, 1)
    assert 0 <= p50 <= p99 <= 0.5
    assert found.due is None
    with slots.services.database.transaction() as db:
        samples.add_due(db, found)
    assert sum(slots.one("select due from look_sample").due) == 3


def test_each_slot_is_taken_once(slots):
    """Whichever scheduler is first: the next one finds it there, and one beside it goes on."""
    slots.pass_time(16)
    assert take(slots) is not None
    assert take(slots) is None
    slots.pass_time(15)
    with slots.services.database.transaction() as db:
        samples.take(db)
        assert take(slots) is None
    assert slots.one("select count(*) as n from look_sample").n == 2
    assert take(slots) is None


def test_what_is_late_counts_from_thirty_seconds_on(slots):
    """Rows that nobody claims are late half a minute after their time."""
    slots.pass_time(30)
    assert take(slots).late == 3


def test_a_slot_with_more_events_than_are_read_stands_for_itself(slots, monkeypatch):
    """Where the newest events do not reach back to the slot's beginning, their span is the measure."""
    monkeypatch.setattr(samples, "FEW_EVENTS", 1)
    monkeypatch.setattr(samples, "MOST_EVENTS", 2)
    monkeypatch.setattr(samples, "MOST_LOOKED_UP", 1)
    slots.tick()
    slots.pass_time(16)
    found = take(slots)
    assert found.refreshed_per_second == pytest.approx(2 / 16)
    assert found.providers["acme"][0] == pytest.approx(2 * 15 / 16, abs=0.01)


def test_what_falls_due_is_exact_in_a_small_table(world):
    """Each idle row counts in its minute of the next hour; what is due later, or now, in none."""
    for name, life in (("a", 300), ("b", 300), ("c", 3_600), ("d", 90_000)):
        world.connect(name, expires_in=life)
    with world.services.database.transaction() as db:
        curve = samples.due_curve(db)
    due = [row.due_at for row in world.rows("select due_at from refresh_schedule")]
    minutes = [int((at - START).total_seconds() // 60) for at in due]
    assert curve == [minutes.count(minute) for minute in range(60)]
    assert sum(curve) == 3


def test_hours_fold_to_points_and_gaps_stay_gaps(world):
    """Means of rates, the highest p99, and nothing where nobody looked."""
    now = START + timedelta(hours=6)
    world.set_now(now)
    first = now - timedelta(hours=6)
    put(
        world,
        sample(first, 1.0, lateness_p99_seconds=3.0),
        sample(first + timedelta(seconds=15), 3.0, late=7),
        sample(now - timedelta(seconds=15), 9.0, due=[5] * 60),
    )
    found = read(world, 6.0)
    assert (found.since, found.until, found.step_seconds) == (first, now, 180.0)
    assert len(found.points) == 120
    start, *between, end = found.points
    assert (start.at, start.refreshed_per_second) == (first, 2.0)
    assert (start.lateness_p99_seconds, start.late, start.leased) == (3.0, 7, 2)
    assert {point.refreshed_per_second for point in between} == {None}
    assert end.refreshed_per_second == 9.0
    assert found.due.per_minute == [5] * 60
    assert found.due.fastest_per_minute == 540.0


def test_one_provider_has_its_own_points(world):
    """A provider that did nothing in a slot did nothing; times are weighed by answers."""
    world.set_now(START + timedelta(hours=1))
    begin = START + timedelta(minutes=59, seconds=30)
    put(
        world,
        sample(begin, providers={"acme": [30, 0, 0.2, 1.0], "other": [9, 9, 9.0, 9.0]}),
        sample(begin + timedelta(seconds=15), providers={"acme": [0, 10, 0.6, 0.7]}),
    )
    found = read(world, 1.0, "acme")
    last = found.points[-1]
    assert (last.refreshed_per_second, last.answer_p99_seconds) == (1.0, 1.0)
    assert last.failed_per_second == pytest.approx(1 / 3)
    assert last.answer_p50_seconds == pytest.approx(0.3)
    assert (last.late, found.due) == (None, None)
    assert read(world, 1.0, "quiet").points[-1].refreshed_per_second == 0
    with world.services.database.transaction() as db:
        lately = sample_history.lately(db)
    assert lately["acme"].per_second == 1.0
    assert lately["acme"].failed_share == pytest.approx(0.25)
    assert sample_history.Lately("none", 0, 0, 0, None, None).failed_share is None


def test_without_a_sample_there_is_nothing_but_gaps(world):
    """A new installation has points without numbers, and no look at what is due."""
    found = read(world, 0.25)
    assert {point.refreshed_per_second for point in found.points} == {None}
    assert found.due is None
    assert len(found.points) == 60


def test_old_samples_are_thinned_out_and_end(world):
    """Two days stay whole, of what is older every twentieth slot, and nothing of last month."""

    def minutes_of(days: float) -> list[Sample]:
        begin = START - timedelta(days=days)
        return [sample(begin + timedelta(seconds=15 * n)) for n in range(40)]

    put(world, *minutes_of(1), *minutes_of(3), *minutes_of(31))
    history.forget_old(world.services)
    days = world.rows(
        "select at::date as day, count(*) as n from look_sample group by 1 order by 1"
    )
    assert [row.n for row in days] == [2, 40]


READ_ONLY = """
    create function no_writes() returns trigger language plpgsql as
    $$ begin raise exception 'it takes no writes' using errcode = '25006'; end $$;
    create trigger no_writes before insert on look_sample execute function no_writes()
    """


def test_a_database_that_is_away_or_takes_no_writes_is_left_alone(slots):
    """Nothing fails, and nothing above a debug line is said: the charts have a gap."""
    slots.pass_time(16)
    with slots.services.database.transaction() as db:
        db.exec_driver_sql(READ_ONLY)
    away = Pool("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with capture_logs() as said:
        history.take_sample(slots.services)
        history.take_sample(replace(slots.services, database=away))
    assert [line["log_level"] for line in said] == ["debug", "debug"]
    assert slots.one("select count(*) as n from look_sample").n == 0
