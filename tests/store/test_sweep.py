"""The reconciler of `store/sweep.py`: which stalled rows become due again, and when."""

from uuid import UUID, uuid4

import pytest

from refresher.rules.connection import Claim
from refresher.store import marking, schedule
from refresher.store.reload import reload
from refresher.store.sweep import Swept, release_unbegun, sweep
from tests.world import World

LEASE, LIMIT = 60.0, 600.0


def lease(world: World, holder: UUID, *, begin: bool) -> list[Claim]:
    """Claims what is due for `holder`, and begins it if asked."""
    with world.services.database.transaction() as db:
        claims = schedule.claim_due(db, limit=9, lease_seconds=LEASE, holder_id=holder)
    if begin:
        with world.services.database.transaction() as db:
            marking.begin(db, reload(db, claims), holder_id=holder)
    return claims


def swept(world: World, dead: set[UUID] = frozenset(), alive: set[UUID] = frozenset()) -> Swept:  # type: ignore[assignment]
    """Sweeps once."""
    with world.services.database.transaction() as db:
        return sweep(db, dead=dead, alive=alive, attempt_timeout_seconds=LIMIT, crash_limit=3)


@pytest.mark.parametrize(
    ("begin", "fate", "after_seconds", "expected"),
    [
        # (begun?, the holder is …, seconds after the claim, what the sweep finds)
        (False, "dead", 0, Swept(unbegun=1)),
        (True, "dead", 0, Swept(unknown=1)),
        (False, "alive", LEASE - 1, Swept()),
        (False, "alive", LEASE + 1, Swept(unbegun=1)),
        (True, "alive", LEASE + 1, Swept()),  # slow or frozen: its request may be under way
        (True, "alive", LIMIT + 1, Swept(unknown=1)),
        (False, "unknown", LEASE - 1, Swept()),
        (True, "unknown", LEASE - 1, Swept()),
        (True, "unknown", LEASE + 1, Swept(unknown=1)),  # locks turned off: only the lease counts
    ],
)
def test_what_is_swept_depends_on_the_begin_and_on_the_holder(
    world: World, begin: bool, fate: str, after_seconds: float, expected: Swept
) -> None:
    """A dead holder's rows are due at once, a living one's when their time is over."""
    world.connect(expires_in=0)
    holder = uuid4()
    lease(world, holder, begin=begin)
    world.pass_time(after_seconds)
    named = {"dead": {"dead": {holder}}, "alive": {"alive": {holder}}, "unknown": {}}[fate]
    assert swept(world, **named) == expected


def test_a_swept_row_is_refreshed_with_the_same_refresh_token(world: World) -> None:
    """An unknown outcome is no failure: the same token is presented again, and the count kept."""
    id_ = world.connect(expires_in=0)
    lease(world, dead := uuid4(), begin=True)
    swept(world, dead={dead})
    row = world.row(id_)
    assert (row.state, row.unknown_outcomes, row.attempt) == (0, 1, 0)
    world.tick()
    assert world.script.asked[0].parameters["refresh_token"] == "refresh-of-c1"
    assert world.row(id_).unknown_outcomes == 0
    assert world.events(id_) == ["imported", "swept", "refreshed"]


def test_a_row_that_starts_three_times_without_an_outcome_is_parked(world: World) -> None:
    """M13: one poison row cannot kill workers for ever."""
    id_ = world.connect(expires_in=0)
    found = []
    for _ in range(3):
        lease(world, dead := uuid4(), begin=True)
        found.append(swept(world, dead={dead}))
    assert found == [Swept(unknown=1), Swept(unknown=1), Swept(parked=1)]
    assert world.row(id_).parked_reason == "crash_loop"


def test_messages_that_are_lost_never_look_like_poison(world: World) -> None:
    """A Redis that is emptied again and again parks nothing: nothing had begun."""
    id_ = world.connect(expires_in=0)
    for _ in range(5):
        lease(world, uuid4(), begin=False)
        with world.services.database.transaction() as db:
            assert release_unbegun(db) == 1
    assert world.row(id_).state == 0


def test_what_has_begun_is_not_released_with_the_messages(world: World) -> None:
    """A request that is under way stays its holder's."""
    world.connect(expires_in=0)
    lease(world, uuid4(), begin=True)
    with world.services.database.transaction() as db:
        assert release_unbegun(db) == 0


def test_what_may_be_sent_only_once_is_parked_and_told(world: World) -> None:
    """`retry = "never"`: a begun row has an outcome that nobody knows, and is not presented again."""
    ids = [world.connect(name, expires_in=0) for name in ("begun", "not")]
    holder = uuid4()
    claims = lease(world, holder, begin=False)
    with world.services.database.transaction() as db:
        rows = reload(db, [claim for claim in claims if claim.connection_id == ids[0]])
        marking.begin(db, rows, holder_id=holder)
    world.describe("acme", retry="never")
    with world.services.database.transaction() as db:
        done = sweep(
            db,
            dead={holder},
            alive=(),
            attempt_timeout_seconds=LIMIT,
            crash_limit=3,
            never_again=lambda name: name == "acme",
        )
    assert done == Swept(unbegun=1, parked=1)
    begun, unbegun = (world.row(id_) for id_ in ids)
    assert (begun.state, begun.parked_reason, begun.unknown_outcomes) == (2, "lost_answer", 1)
    assert (unbegun.state, unbegun.parked_reason) == (0, None)
    assert world.events(ids[0])[-1] == "parked"
    assert world.one("select kind from outbox").kind == "connection.answer_lost"
