"""A process that dies on the way leaves either nothing, or an answer that any other goes on from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest

from refresher.connections import arrival
from refresher.outbound.sender import Wire
from refresher.rules.connect import Outcome, Problem, State
from refresher.rules.connect_steps import SendCode
from refresher.rules.connection import Reply, Secret
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.store import connect_steps
from refresher.testing.stepper import Stepper
from tests.connect.carrying import ANN, PAIR, answering, carry, connected, count, entry, stored
from tests.connect.sessions import exchange, make, now
from tests.world import World, granted

CASES: list[tuple[Point, int, State]] = [
    ("code_sending", 0, State.EXCHANGING),
    ("code_answered", 1, State.EXCHANGING),
    ("code_held", 1, State.HELD),
    ("promoting", 1, State.HELD),
]
AGAIN = {"access_token": "at-2", "refresh_token": "rt-2", "expires_in": 3600}


class Dead(BaseException):
    """The process is gone."""


@pytest.fixture
def _listens_no_more() -> Iterator[None]:
    """No test after these dies."""
    yield
    checkpoints.install(None)


def dies_at(point: Point) -> None:
    """Has whoever reaches this point die there."""

    def reached(at: Point) -> None:
        if at == point:
            raise Dead(at)

    checkpoints.install(reached)


@pytest.mark.usefixtures("_listens_no_more")
@pytest.mark.parametrize(("point", "sent", "state"), CASES)
def test_who_dies_leaves_nothing_half_done(
    world: World, point: Point, sent: int, state: State
) -> None:
    """The old connection is as it was, the code is sent once, and what is held goes on (T16)."""
    entry(world)
    id_ = connected(world)
    answering(world, granted(**AGAIN, **ANN))
    session = make(world, id_)
    ticket = SendCode(session, exchange(world, session), Secret("the-code"), ())
    dies_at(point)
    with pytest.raises(Dead):
        asyncio.run(arrival.carry(world.services, ticket))
    checkpoints.install(None)
    row, tokens = stored(world, id_)
    assert (len(world.script.asked), now(world, session).state) == (sent, state)
    assert (tokens["refresh_token"], row.in_between_steps) == ("rt-1", state is State.EXCHANGING)
    # When another process goes on from the row, then only what was held is connected
    arrival.advance(world.services, session.id)
    after = now(world, session)
    was_held = state is State.HELD
    assert after.outcome == (Outcome.CONNECTED if was_held else None)
    assert stored(world, id_)[1]["refresh_token"] == ("rt-2" if was_held else "rt-1")
    world.pass_time(61)
    with world.services.database.transaction() as db:
        assert connect_steps.overdue(db) == ([] if was_held else [session.id])
    assert len(world.script.asked) == sent


def test_two_processes_that_go_on_at_once_promote_once(world: World) -> None:
    """One does it, the other sees it: one event, one notice, one grant (T5)."""
    entry(world)
    for number in range(5):
        name = f"c{number}"
        answering(world, granted(**{**PAIR, **ANN}))
        session = make(world, external_id=name)
        checkpoints.install(None)
        dies_at("code_held")
        ticket = SendCode(session, exchange(world, session), Secret("the-code"), ())
        with pytest.raises(Dead):
            asyncio.run(arrival.carry(world.services, ticket))
        checkpoints.install(None)
        barrier = Barrier(2)

        def go_on(session_id: UUID, barrier: Barrier = barrier) -> None:
            barrier.wait(30)
            arrival.advance(world.services, session_id)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(go_on, [session.id] * 2))
        assert now(world, session).outcome is Outcome.CONNECTED
    assert count(world, "refresh_event", "kind = 'connected'") == 5
    assert count(world, "refresh_event") == 5
    assert count(world, "outbox", "kind = 'connection.connected'") == 5


def test_a_refresh_that_is_under_way_is_fenced_by_the_reconnect(world: World) -> None:
    """Its late pair is nobody's any more: the newest grant is stored, nobody is alarmed (T18)."""
    entry(world)
    id_ = connected(world)
    world.pass_time(3600)
    session = make(world, id_)
    with Stepper(world.services, id_) as step:
        step.begin()
        answering(
            world, granted(**AGAIN, **ANN), granted(access_token="late", refresh_token="rt-late")
        )
        assert carry(world, session).outcome is Outcome.CONNECTED
        step.commit()
    assert stored(world, id_)[1] == {"access_token": "at-2", "refresh_token": "rt-2"}
    assert count(world, "outbox", "kind = 'connection.reconnect_required'") == 0


def test_a_refresh_that_comes_due_meanwhile_waits_and_goes_on(world: World) -> None:
    """While the code is under way none is begun; without an answer the old grant is refreshed (T18)."""
    entry(world)
    id_ = connected(world)
    session = make(world, id_, seconds=7200.0)
    attempt = exchange(world, session)
    world.pass_time(3600)
    answering(world)
    world.tick()
    assert world.row(id_).parked_reason == "mid_oauth"
    answering(world, Reply(failure="timeout"))
    assert carry(world, session, attempt).state is State.OPEN
    answering(world, granted(access_token="at-9", refresh_token="rt-9", expires_in=3600))
    world.tick()
    assert stored(world, id_)[1]["refresh_token"] == "rt-9"


def test_an_answer_that_comes_too_late_is_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person begins again after twenty seconds; the code is not sent a second time (T17)."""
    entry(world)
    id_ = connected(world)
    came = threading.Event()

    async def late(wire: Wire) -> Reply:
        assert wire.request is not None
        world.script.asked.append(wire.request)
        await asyncio.to_thread(came.wait, 30)
        return granted(**AGAIN, **ANN)

    monkeypatch.setattr(arrival, "TOTAL_SECONDS", 0.05)
    monkeypatch.setattr(world.script, "send", late)
    world.script.asked.clear()
    session = make(world, id_)
    after = carry(world, session)
    came.set()
    assert after.trouble is not None
    assert (after.trouble.code, after.state) == (Problem.OUTCOME_UNKNOWN, State.OPEN)
    assert len(world.script.asked) == 1
    assert stored(world, id_)[1]["refresh_token"] == "rt-1"
