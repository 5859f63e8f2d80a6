"""Dispatch and sweep: claims are handed over in batches, capped, and given back when Redis refuses."""

from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest

from refresher.errors import RedisUnavailable
from refresher.refresh import dispatch, recovery
from refresher.refresh.single_flight import claim_now
from refresher.rules.connection import Claim
from refresher.runtime.liveness import Watch
from refresher.store import schedule
from refresher.store.workers import Holders
from tests.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Real services with small limits."""
    made = World(database_url, batch_size=4, claim_limit=10, max_leased=25)
    yield made
    made.close()


class Sent:
    """An enqueue function that keeps what it was given."""

    def __init__(self) -> None:
        self.groups: list[list[Claim]] = []

    def __call__(self, groups: Sequence[Sequence[Claim]]) -> None:
        """Keeps the groups."""
        self.groups += [list(group) for group in groups]


def test_due_rows_leave_in_batches_until_none_is_left(world: World) -> None:
    """A backlog is drained in one tick, and each message carries at most a batch."""
    for n in range(23):
        world.connect(f"c{n}", expires_in=0)
    sent = Sent()
    done = dispatch.dispatch_due(world.services, sent)
    assert done.claimed == 23
    assert [len(group) for group in sent.groups] == [4, 4, 2, 4, 4, 2, 3]
    assert len({claim.connection_id for group in sent.groups for claim in group}) == 23


def test_no_more_is_claimed_than_may_be_in_flight(world: World) -> None:
    """Back-pressure: an outage's backlog waits in the table, not in Redis."""
    for n in range(40):
        world.connect(f"c{n}", expires_in=0)
    done = dispatch.dispatch_due(world.services, Sent())
    assert done.claimed == 25
    assert done.again_in_seconds < 0.1, "capacity frees up within moments"
    assert dispatch.dispatch_due(world.services, Sent()).claimed == 0


def test_rows_that_are_done_meanwhile_wait_for_the_next_tick(world: World) -> None:
    """Claimed as soon as there is room, they would leave by ones and twos."""
    for n in range(40):
        world.connect(f"c{n}", expires_in=0)

    class Quick(Sent):
        """Workers that are done with each group at once."""

        def __call__(self, groups: Sequence[Sequence[Claim]]) -> None:
            """Gives all of it back, due later."""
            super().__call__(groups)
            with world.services.database.transaction() as db:
                schedule.postpone(db, [(c, 3600.0) for group in groups for c in group])

    sent = Quick()
    assert dispatch.dispatch_due(world.services, sent).claimed == 25
    assert dispatch.dispatch_due(world.services, sent).claimed == 15
    assert [len(group) for group in sent.groups] == [4, 4, 2, 4, 4, 2, 4, 1, 4, 4, 2, 4, 1]


@pytest.mark.parametrize(("max_leased", "seconds"), [(25, 0.05), (4_000, 0.2), (10_000, 0.5)])
def test_the_more_may_be_in_flight_the_later_is_the_next_look(
    max_leased: int, seconds: float
) -> None:
    """Workers have enough to do until then, and counting thousands of rows is not for a few."""
    assert dispatch.seconds_until_room(max_leased) == pytest.approx(seconds)


def test_the_next_tick_is_when_the_next_row_is_due(world: World) -> None:
    """An idle scheduler sleeps until then, at most a tick long."""
    assert dispatch.dispatch_due(world.services, Sent()).again_in_seconds == 1.0
    id_ = world.connect(expires_in=3600)
    due_at = world.row(id_).due_at
    world.set_now(due_at)
    world.pass_time(-0.25)
    assert dispatch.dispatch_due(world.services, Sent()).again_in_seconds == pytest.approx(0.25)


def test_rows_that_fall_due_one_after_the_other_leave_together(world: World) -> None:
    """A tick does not chase each of them: a message for every row would keep the workers behind."""
    sent = Sent()

    def enqueue(groups: Sequence[Sequence[Claim]]) -> None:
        sent(groups)
        world.connect(f"d{len(sent.groups)}", expires_in=0)  # the next one is due by now

    world.connect("c1", expires_in=0)
    done = dispatch.dispatch_due(world.services, enqueue)
    assert done == dispatch.Dispatched(1, dispatch.GATHER_SECONDS)
    assert len(sent.groups) == 1
    assert dispatch.dispatch_due(world.services, sent).claimed == 1


def test_claims_that_redis_refuses_are_released(world: World) -> None:
    """Postgres is the truth: the rows are due again, and nothing is counted against them."""
    id_ = world.connect(expires_in=0)

    def refuse(_groups: object) -> None:
        raise RedisUnavailable("redis is away")

    with pytest.raises(RedisUnavailable):
        dispatch.dispatch_due(world.services, refuse)
    assert (world.row(id_).state, world.row(id_).starts) == (0, 0)
    assert dispatch.dispatch_due(world.services, Sent()).claimed == 1


def test_rows_whose_messages_are_lost_are_dispatched_again(world: World) -> None:
    """An emptied Redis costs one tick."""
    world.connect(expires_in=0)
    dispatch.dispatch_due(world.services, Sent())
    assert recovery.messages_lost(world.services) == 1
    assert dispatch.dispatch_due(world.services, Sent()).claimed == 1


def test_a_stopping_process_claims_nothing(world: World) -> None:
    """SIGTERM: what is due stays in the table for the next one."""
    world.connect(expires_in=0)
    world.services.stopping.set()
    assert dispatch.dispatch_due(world.services, Sent()).claimed == 0


def test_a_row_can_be_claimed_now_by_one_caller_only(world: World) -> None:
    """M15: "refresh now" goes through the claim, and whoever comes second finds it leased."""
    id_ = world.connect()
    assert claim_now(world.services, id_) is not None
    assert claim_now(world.services, id_) is None


def test_a_process_is_dead_when_its_lock_stays_away() -> None:
    """A session that was ended and comes back within a second kills nobody."""
    watch, one, two = Watch(patience_seconds=1.0), uuid4(), uuid4()
    both = Holders(alive=frozenset(), missing=frozenset({one, two}))
    assert watch.dead(both, now=10.0) == set()
    assert watch.dead(Holders(frozenset({one}), frozenset({two})), now=10.5) == set()
    assert watch.dead(both, now=11.0) == {two}, "one was back in between"
    assert watch.dead(both, now=12.0) == {one, two}


def test_an_unregistered_holder_is_swept_by_its_lease(world: World) -> None:
    """The sweep takes a row of nobody known once its lease is over."""
    world.connect(expires_in=0)
    dispatch.dispatch_due(world.services, Sent())
    assert recovery.sweep_stalled(world.services, Watch()).total == 0
    world.pass_time(61)
    assert recovery.sweep_stalled(world.services, Watch()).unbegun == 1


def test_a_provider_takes_no_more_than_its_share_when_others_are_due(world: World) -> None:
    """With two in flight, one gets half of the capacity, and the rest of it a second later."""
    # Given a row of one provider in flight, and more of another than half the capacity
    world.connect("m1", provider="meta", refresh_token=None, expires_in=10)
    world.pass_time(6)
    sent = Sent()
    dispatch.dispatch_due(world.services, sent)
    for n in range(20):
        world.connect(f"hog{n}", expires_in=0)
    # When they are dispatched, and a second row of the first comes due
    while dispatch.dispatch_due(world.services, sent).claimed:
        pass
    late = world.connect("m2", provider="meta", refresh_token=None, expires_in=3)
    world.pass_time(1.7)
    dispatch.dispatch_due(world.services, sent)
    # Then there was room for it
    claimed = [claim for group in sent.groups for claim in group]
    assert sum(claim.provider == "acme" for claim in claimed) == 12
    assert late in {claim.connection_id for claim in claimed}
    assert all(len({claim.provider for claim in group}) == 1 for group in sent.groups)


def test_a_provider_with_a_rate_is_paced(world: World) -> None:
    """A herd of tokens with one expiry becomes a stream at the provider's rate; none is lost."""
    ids = [world.connect(f"p{n}", provider="paced", expires_in=0) for n in range(24)]
    sent = Sent()
    dispatch.dispatch_due(world.services, sent)
    assert sum(len(group) for group in sent.groups) == 10
    due_in = sorted(
        (row.due_at - world.services.database.simulated_now).total_seconds()
        for row in map(world.row, ids)
        if row.state == 0
    )
    assert len(due_in) == 14
    assert [round(seconds, 3) for seconds in due_in[-10:]] == [n / 10 for n in range(1, 11)]
