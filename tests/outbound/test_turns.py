"""One batch computes at a time, and nobody is kept from it for long."""

from __future__ import annotations

import threading
import time

import pytest

from refresher.outbound import turns
from refresher.outbound.turns import Turns
from tests.waiting import wait_until


def waiters(taken: Turns) -> int:
    """How many threads wait for the turn."""
    queues = (taken._for_replies, taken._for_new_work)
    return sum(len(vars(queue)["_waiters"]) for queue in queues)


def test_the_second_waits_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the first one works, within reason."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 60)
    taken, order = Turns(), []

    def second() -> None:
        with taken.turn():
            order.append("second")

    with taken.turn():
        thread = threading.Thread(target=second)
        thread.start()
        with taken.turn(alone=True):
            order.append("a single row")
        order.append("first")
    thread.join(60)

    assert order == ["a single row", "first", "second"]


def test_replies_go_before_new_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they come later: what is in hand would be lost with the process."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 60)
    taken, order = Turns(), []

    def work(name: str, *, replies: bool) -> None:
        with taken.turn(replies=replies):
            order.append(name)

    threads = []
    with taken.turn():
        for name, replies in (("new work", False), ("replies", True)):
            threads.append(threading.Thread(target=work, args=(name,), kwargs={"replies": replies}))
            threads[-1].start()
            waiting = len(threads)
            wait_until(lambda: waiters(taken) == waiting)  # noqa: B023
    for thread in threads:
        thread.join(60)

    assert order == ["replies", "new work"]


def has_turn_at_once(taken: Turns) -> bool:
    """Whether the turn is free."""
    began = time.monotonic()
    with taken.turn():
        assert taken._free == 0
    return time.monotonic() - began < turns.WAIT_SECONDS


def test_a_process_that_works_alone_has_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second goes ahead while the first one works, the third waits for either."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 60)
    taken, order = Turns(2), []

    def third() -> None:
        with taken.turn():
            order.append("third")

    with taken.turn():
        with taken.turn():
            thread = threading.Thread(target=third)
            thread.start()
            wait_until(lambda: waiters(taken) == 1)
            order.append("two")
        thread.join(60)

    assert order == ["two", "third"]


def test_a_turn_that_is_held_up_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has it may wait for a Postgres that is away; the other goes ahead, and breaks nothing."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.01)
    taken = Turns()
    with taken.turn(), taken.turn():
        pass
    assert has_turn_at_once(taken)


def test_a_turn_ends_with_an_error() -> None:
    """The next one has it at once."""
    taken = Turns()
    with pytest.raises(ZeroDivisionError), taken.turn():
        _ = 1 / 0
    assert has_turn_at_once(taken)


def test_everybody_has_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, each is called in time: nobody is left to the patience of half a second."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 60)
    taken, had = Turns(), []

    def work(replies: bool) -> None:
        for _ in range(50):
            with taken.turn(replies=replies):
                had.append(replies)

    threads = [threading.Thread(target=work, args=(n % 2 == 0,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(had) == 8 * 50
