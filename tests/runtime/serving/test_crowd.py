"""Who loses a place when there are too many: the one that has waited longest."""

import pytest

from refresher.runtime.serving import limits
from refresher.runtime.serving.limits import Crowd


class Guest:
    """A connection that notes what becomes of it."""

    def __init__(self, waiting_since: float | None) -> None:
        self.waiting_since = waiting_since
        self.held_bytes = 0
        self.is_gone = False

    def let_go(self) -> None:
        """Notes its end."""
        self.is_gone = True

    def look(self, now: float) -> None:
        """Is never called here."""
        raise AssertionError(now)


@pytest.mark.parametrize(
    ("since", "gone"),
    [
        ([3.0, 1.0, 2.0], 1),  # the oldest
        ([None, 5.0, None], 1),  # never one that is being answered
        ([None, None, 9.0], 2),  # so the new one itself
        ([None, None, None], None),
    ],
)
def test_one_too_many_costs_the_oldest_its_place(
    since: list[float | None], gone: int | None
) -> None:
    """Two places, three guests."""
    crowd = Crowd(2)
    guests = [Guest(at) for at in since]
    for guest in guests:
        crowd.enter(guest)
    assert [n for n, guest in enumerate(guests) if guest.is_gone] == (
        [] if gone is None else [gone]
    )


def test_what_all_hold_together_is_bounded() -> None:
    """When unfinished requests are too large together, the oldest that holds much is let go."""
    crowd = Crowd(10)
    light, old, new = Guest(0.0), Guest(1.0), Guest(2.0)
    for guest, share in ((light, 0.0), (old, 0.6), (new, 0.6)):
        crowd.enter(guest)
        crowd.hold(guest, int(limits.HELD_BYTES * share))
    assert (light.is_gone, old.is_gone, new.is_gone) == (False, True, False)
    crowd.release(new)
    assert crowd.held_bytes == 0
