"""The tables of sessions and attempts, on real Postgres."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from refresher.rules.connect import (
    Outcome,
    Problem,
    State,
    Trouble,
    hashed,
)
from refresher.store import connect, connect_attempts, connect_guard, connect_steps, outbox
from refresher.store.connect import SessionFilter
from tests.connect.sessions import begin, exchange, hold, make, now, sealed
from tests.world import World

DENIED = Trouble(Problem.DENIED, "access_denied")


def flag(world: World, connection_id: UUID) -> bool:
    """Whether refreshes of a connection are held back."""
    sql = "select in_between_steps as it from connection where id = :id"
    return bool(world.one(sql, id=connection_id).it)


def ended(world: World) -> list[dict[str, object]]:
    """What was told of sessions."""
    rows = world.rows("select payload from outbox where kind = 'connect.ended' order by id")
    return [row.payload for row in rows]


def test_a_session_is_found_by_its_link_its_id_and_in_lists(world: World) -> None:
    """What is stored comes back as it was given, to its own organization alone."""
    scopes = ["read", "write"]
    made = make(
        world,
        scopes=scopes,
        placeholders={"tenant": "t1"},
        parameters={"prompt": "select_account"},
        for_whom="Ann",
    )
    other = make(world, organization_id="org-2")
    with world.services.database.transaction() as db:
        assert connect.by_link(db, made.link_hash) == made
        assert connect.by_link(db, made.link_hash, lock=True) == made
        assert connect.by_link(db, hashed("another")) is None
        assert connect.find(db, made.id, "org-2") is None
        assert connect.find(db, made.id, "org-1") == made
        assert connect.listed(db, SessionFilter(organization_id="org-2")) == [other]
        newest, older = sorted((made, other), key=lambda one: one.id, reverse=True)
        assert connect.listed(db, SessionFilter(state=State.OPEN)) == [newest, older]
        assert connect.listed(db, SessionFilter(), before=newest.id) == [older]
    assert (made.scopes, made.placeholders) == (scopes, {"tenant": "t1"})
    assert (made.parameters, made.for_whom) == ({"prompt": "select_account"}, "Ann")
    assert repr(made.link_hash) not in repr(made)


def test_a_session_ends_with_its_key(world: World) -> None:
    """It lasts no longer than the key that made it."""
    world.run(
        "insert into api_key (id, name, scopes, secret_hash, expires_at) values ('k', 'k', '{}', "
        "decode(repeat('00', 32), 'hex'), refresher_now() + interval '1 minute')"
    )
    made = make(world, key_id="k")
    assert (made.expires_at - made.created_at).total_seconds() == 60


def test_an_attempt_is_spent_once_by_two_at_the_same_moment(world: World) -> None:
    """Of four that get the same callback at once, one may send the code."""
    session = make(world)
    attempt = begin(world, session)
    barrier = Barrier(4)

    def arrive(_: int) -> bool:
        barrier.wait()
        with world.services.database.transaction() as db:
            locked = connect.locked(db, session.id)
            assert locked is not None
            return connect_steps.enter_exchanging(db, locked, attempt)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(arrive, range(4))) == [False, False, False, True]
    assert now(world, session).attempt_id == attempt.id


def test_a_second_attempt_is_spent_and_not_sent_while_the_first_is_under_way(world: World) -> None:
    """Two tabs: one code is sent."""
    session = make(world)
    exchange(world, session)
    second = begin(world, session)
    with world.services.database.transaction() as db:
        locked = connect.locked(db, session.id)
        assert locked is not None
        assert not connect_steps.enter_exchanging(db, locked, second)
        spent = connect_attempts.by_state(db, second.state_hash)
        assert spent is not None
        assert spent.spent_at is not None
        assert [one.id for one in connect_attempts.of(db, session.id)] == sorted(
            (one.id for one in connect_attempts.of(db, session.id)), reverse=True
        )
    assert now(world, session).attempts == 2


@pytest.mark.parametrize("how", ["held", "failed", "ended"])
def test_a_connection_is_held_back_while_a_code_is_under_way(world: World, how: str) -> None:
    """However the exchange ends, the flag goes with it and a row that was parked for it is due."""
    id_ = world.connect()
    session = make(world, id_)
    attempt = exchange(world, session)
    assert flag(world, id_)
    world.run("update refresh_schedule set state = 2, parked_reason = 'mid_oauth'")
    with world.services.database.transaction() as db:
        if how == "held":
            assert connect_steps.hold(db, session.id, attempt.id, sealed(world, session))
        elif how == "failed":
            assert connect_steps.reopen(db, session.id, DENIED)
        else:
            assert connect_steps.end(db, session.id, Outcome.CANCELLED)
    assert not flag(world, id_)
    assert world.row(id_).state == 0
    assert not now(world, session).guard_set


def test_what_an_application_set_stays(world: World) -> None:
    """The flag that was there before the exchange is not ours to take away."""
    id_ = world.connect(in_between_steps=True)
    session = make(world, id_)
    attempt = exchange(world, session)
    assert hold(world, session, attempt)
    assert flag(world, id_)


def test_the_last_of_two_sessions_lets_go(world: World) -> None:
    """Two links to one connection, both at the provider's."""
    id_ = world.connect()
    first, second = make(world, id_), make(world, id_)
    one, two = exchange(world, first), exchange(world, second)
    assert hold(world, first, one)
    assert flag(world, id_)
    assert hold(world, second, two)
    assert not flag(world, id_)


def test_a_row_that_was_parked_too_late_goes_on(world: World) -> None:
    """A refresh that saw the flag parks its row after it is gone: the sweep finds it."""
    id_ = world.connect()
    world.run("update refresh_schedule set state = 2, parked_reason = 'mid_oauth'")
    with world.services.database.transaction() as db:
        assert connect_guard.release_stranded(db) == 1
        assert connect_guard.release_stranded(db) == 0
    assert world.row(id_).state == 0


def test_an_answer_is_held_once_and_erased_at_the_end(world: World) -> None:
    """A late answer of another attempt is not held, and nothing is left of one that was dropped."""
    session = make(world)
    attempt = exchange(world, session)
    with world.services.database.transaction() as db:
        assert not connect_steps.hold(db, session.id, uuid4(), sealed(world, session))
    assert hold(world, session, attempt)
    assert not hold(world, session, attempt)
    first, more = now(world, session).held, sealed(world, session)
    assert first is not None
    with world.services.database.transaction() as db:
        assert connect_steps.hold_again(db, session.id, first, more)
        assert not connect_steps.hold_again(db, session.id, first, more)
        assert connect_steps.reopen(db, session.id, DENIED)
    after = now(world, session)
    assert (after.state, after.held, after.held_until) == (State.OPEN, None, None)
    assert after.trouble == DENIED


def test_a_session_whose_time_is_over_ends_instead_of_opening_again(world: World) -> None:
    """It is told so once; not while an attempt that was begun in time is under way."""
    session = make(world, seconds=60.0)
    first, second = exchange(world, session), begin(world, session)
    assert hold(world, session, first)
    world.pass_time(61)
    with world.services.database.transaction() as db:
        assert connect_steps.reopen(db, session.id, DENIED)
    assert now(world, session).state is State.OPEN
    with world.services.database.transaction() as db:
        assert connect_steps.overdue(db) == []
        assert connect_attempts.spend(db, second.id, DENIED)
        assert connect_steps.overdue(db) == [session.id]
        assert connect_steps.reopen(db, session.id, DENIED)
        assert not connect_steps.reopen(db, session.id, DENIED)
        assert not connect_steps.end(db, session.id, Outcome.CANCELLED)
    after = now(world, session)
    assert (after.state, after.outcome) == (State.ENDED, Outcome.EXPIRED)
    (told,) = ended(world)
    assert (told["outcome"], told["problem"]) == ("expired", "denied")
    assert (told["session_id"], told["organization_id"]) == (str(session.id), "org-1")


def test_a_failure_stands_in_the_history_of_a_connection(world: World) -> None:
    """With its code; both consumers of the outbox hear of the end."""
    id_ = world.connect()
    session = make(world, id_)
    exchange(world, session)
    with world.services.database.transaction() as db:
        assert connect_steps.reopen(db, session.id, DENIED)
        assert connect_steps.end(db, session.id, Outcome.CANCELLED)
    assert world.events(id_)[-2:] == ["connect_failed", "connect_failed"]
    with world.services.database.transaction() as db:
        for consumer in outbox.CONSUMERS:
            (entry,) = outbox.take(db, consumer, limit=9)
            assert (entry.kind, entry.sequence) == ("connect.ended", 1)
            assert entry.payload["connection_id"] == str(id_)
