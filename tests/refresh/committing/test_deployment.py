"""A whole deployment with a hundred rotated replies in hand, and a Postgres that takes none of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos import refusals, unread
from tests.chaos.deployment import Deployment
from tests.chaos.ground import Ground
from tests.chaos.refusals import Fault
from tests.chaos.row import Bench
from tests.guard import Guard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
FAULTS = {
    "read-only": refusals.read_only,
    "permission": refusals.revoked,
    "constraint": refusals.constrained,
    "frozen": refusals.frozen,
}


@pytest.fixture
def bench(guard: Guard, tmp_path: Path) -> Iterator[Bench]:
    """Servers of this test's own, free to be broken; once is enough."""
    with Ground(guard, tmp_path) as ground:
        yield Bench(ground, "refused", 1, 0.1, lambda: None)


@pytest.mark.parametrize("name", FAULTS)
def test_a_hundred_of_a_hundred_are_stored(bench: Bench, name: str) -> None:
    """No token lost or spent twice, five log lines a second at most, `/health` 200 throughout."""
    fault: Fault = FAULTS[name]
    row = refusals.refuse(bench, fault, kills=False)
    assert row.broken == ()
    assert (row.refreshes, row.lost) == (refusals.IN_HAND, 0)


@pytest.mark.skipif(not refusals.can_mount(), reason="a small disk is a tmpfs, which needs root")
def test_a_hundred_of_a_hundred_are_stored_when_the_disk_was_full(bench: Bench) -> None:
    """The same with a disk that is really full."""
    row = refusals.disk_full(bench)
    assert row.broken == ()
    assert (row.refreshes, row.lost) == (refusals.IN_HAND, 0)


@pytest.mark.parametrize("end", [refusals.ask_all_to_stop, refusals.kill_when_spooled])
def test_a_frozen_postgres_and_an_end_of_all_processes_lose_nothing(
    bench: Bench, end: Callable[[Deployment], None]
) -> None:
    """Every reply lies in the spool when they have ended, and is stored by those that come after."""
    row = refusals.end_while_frozen(bench, end)
    assert row.broken == ()
    assert (row.refreshes, row.lost) == (refusals.IN_HAND, 0)


def test_a_hundred_answers_that_nobody_could_read_are_read_again(bench: Bench) -> None:
    """Their processes are killed while the spool has them alone; every pair is stored in the end."""
    row = unread.unreadable_answers(bench)
    assert row.broken == ()
    assert (row.refreshes, row.lost, row.double_spent) == (refusals.IN_HAND, 0, 0)
