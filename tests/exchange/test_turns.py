"""One batch computes at a time, and nobody is kept from it for long."""

from __future__ import annotations

import threading

import pytest

from refresher.exchange import turns
from refresher.exchange.turns import Turns


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


def test_a_turn_that_is_held_up_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has it may wait for a Postgres that is away; the other goes ahead, and breaks nothing."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.01)
    taken = Turns()
    with taken.turn(), taken.turn():
        pass
    with taken.turn():
        assert not taken._free.acquire(blocking=False)


def test_a_turn_ends_with_an_error() -> None:
    """The next one has it at once."""
    taken = Turns()
    with pytest.raises(ZeroDivisionError), taken.turn():
        _ = 1 / 0
    assert taken._free.acquire(blocking=False)
