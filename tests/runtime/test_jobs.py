"""The scheduler's ticks: woken soon, one run at a time, and none of the wishes is lost."""

import threading
from collections.abc import Iterator

import pytest

from refresher.errors import (
    DatabaseNotMigrated,
    DatabaseRefusesWrites,
    DatabaseUnavailable,
    RedisUnavailable,
)
from refresher.runtime.jobs import Ticks, Trouble
from tests.world import World

HOUR_SECONDS = 3600.0
PATIENCE_SECONDS = 30.0


@pytest.fixture
def ticks(world: World) -> Iterator[Ticks]:
    """Ticks that have not started yet."""
    made = Ticks(world.services)
    yield made
    world.services.stopping.set()
    if made._scheduler.running:
        made.stop()


class Job:
    """A tick that tells when it begins, and returns when it may."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def __call__(self) -> None:
        """Runs it."""
        self.begun.release()
        self.may_end.acquire(timeout=PATIENCE_SECONDS)

    def await_begin(self) -> bool:
        """Whether it begins soon."""
        return self.begun.acquire(timeout=PATIENCE_SECONDS)


def test_a_wish_during_a_run_is_kept_until_its_end(ticks: Ticks) -> None:
    """APScheduler alone would drop it, and the next run would come an hour later."""
    job = Job()
    ticks.every(HOUR_SECONDS, job, "tick")
    ticks.start()
    assert job.await_begin()
    ticks.wake(0.0, "tick")
    ticks.wake(HOUR_SECONDS / 2, "tick")  # the sooner wish counts
    assert not job.begun.acquire(blocking=False)
    job.may_end.release()
    assert job.await_begin()
    job.may_end.release()


def test_a_job_may_wake_itself(ticks: Ticks) -> None:
    """A tick that has seen when the next row is due asks for that instant from within."""
    runs = threading.Semaphore(0)

    def job() -> None:
        runs.release()
        ticks.wake(0.0, "tick")

    ticks.every(HOUR_SECONDS, job, "tick")
    ticks.start()
    assert all(runs.acquire(timeout=PATIENCE_SECONDS) for _ in range(5))


def test_nobody_can_put_a_run_off(ticks: Ticks) -> None:
    """Who wants it later than somebody else does not delay that one's."""
    job = Job()
    ticks.every(HOUR_SECONDS, job, "tick")
    ticks.start()
    assert job.await_begin()
    job.may_end.release()
    ticks.wake(0.2, "tick")
    ticks.wake(HOUR_SECONDS / 2, "tick")
    assert job.await_begin()
    job.may_end.release()


def test_a_tick_that_fails_comes_again(ticks: Ticks) -> None:
    """Postgres being away is noted for the next one; a bug ends one run, not the ticks."""
    errors = [DatabaseUnavailable("away"), ZeroDivisionError("a bug")]
    well = threading.Event()
    noted: list[bool] = []

    def job() -> None:
        noted.append(ticks.failed)
        ticks.wake(0.0, "tick")
        if errors:
            raise errors.pop(0)
        well.set()

    ticks.every(HOUR_SECONDS, job, "tick")
    ticks.start()
    assert well.wait(PATIENCE_SECONDS)
    assert noted[:3] == [False, True, True]


def test_an_unknown_name_is_no_wish(ticks: Ticks) -> None:
    """A flow that is switched off has no tick to be woken."""
    ticks.start()
    ticks.wake(0.0, "mail")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            DatabaseUnavailable("postgresql://ann@db.internal/x cannot be used"),
            "Postgres cannot be",
        ),
        (DatabaseNotMigrated("postgresql://ann@db.internal/x has no tables"), "Postgres has other"),
        (DatabaseRefusesWrites("ann@db.internal is read-only"), "Postgres takes no writes"),
        (RedisUnavailable("redis refuses messages: ReadOnlyError"), "redis refuses messages"),
        (ZeroDivisionError("division by zero\nand more"), "division by zero"),
        (ValueError(""), "ValueError"),
    ],
)
def test_what_fails_again_and_again_is_a_trouble(
    error: Exception, reason: str, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the third time in a row on, with a reason that names no server; a success ends it."""
    monkeypatch.setattr("refresher.runtime.jobs.LONG_SECONDS", 0.0)
    seen: list[dict[str, Trouble]] = []
    well = threading.Event()

    def job() -> None:
        seen.append(ticks.troubles())
        ticks.wake(0.0, "mail")
        if len(seen) <= 4:
            raise error
        if len(seen) > 5:
            well.set()

    ticks.every(HOUR_SECONDS, job, "mail")
    ticks.start()
    assert well.wait(PATIENCE_SECONDS)
    assert [bool(told) for told in seen[:6]] == [False, False, False, True, True, False]
    trouble = seen[4]["mail"]
    assert trouble.failures == 4
    assert trouble.reason.startswith(reason)
    assert "internal" not in trouble.sentence("mail")
    assert "\n" not in trouble.sentence("mail")
    assert ticks.failures() == {"mail": 0}


def test_a_tick_that_hangs_holds_up_no_stop(ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them together are waited for so long, and no longer."""
    monkeypatch.setattr("refresher.runtime.jobs.STOP_SECONDS", 0.1)
    jobs = [Job() for _ in range(3)]
    for number, job in enumerate(jobs):
        ticks.every(HOUR_SECONDS, job, str(number))
    ticks.start()
    assert all(job.await_begin() for job in jobs)
    ticks.stop()
    for job in jobs:
        job.may_end.release()
