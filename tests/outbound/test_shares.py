"""Places that many share: nobody takes all of them from the others."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from refresher.outbound.turns import FairQueue, Parties


def line(places: int, *items: tuple[Parties, str]) -> FairQueue[str]:
    """Returns a line in which these wait."""
    made = FairQueue[str](places)
    for parties, item in items:
        made.add(parties, item)
    return made


def taken(waiting: FairQueue[str]) -> list[str]:
    """Takes what has a place now."""
    found = []
    while (one := waiting.take()) is not None:
        found.append(one[1])
    return found


@pytest.mark.parametrize(("places", "share"), [(4, 3), (8, 7), (200, 175)])
def test_a_place_in_eight_is_kept_for_others(places: int, share: int) -> None:
    """Also before any other was seen: what hangs gives no place back when one comes."""
    waiting = line(places, *[(("org", "host"), "first")] * places)
    assert len(taken(waiting)) == share
    waiting.add(("other", "elsewhere"), "other")
    assert taken(waiting) == ["other"]


@pytest.mark.parametrize("places", [1, 2, 3])
def test_a_few_places_are_used_all_the_same(places: int) -> None:
    """With fewer than four no place is kept free."""
    waiting = line(places, *[(("a",), "a")] * 5, (("b",), "b"))
    assert len(taken(waiting)) == places


def test_others_pass_by_who_has_his_share() -> None:
    """Three of four are one's at most; who waits aside comes in order, when one of his ends."""
    waiting = line(4, *[(("a",), f"a{n}") for n in range(9)], (("b",), "b0"), (("b",), "b1"))
    assert taken(waiting) == ["a0", "a1", "a2", "b0"]
    waiting.done(("b",))
    assert taken(waiting) == ["b1"]
    waiting.done(("a",))
    assert taken(waiting) == ["a3"]


def test_a_share_is_of_each_sort_of_party() -> None:
    """Many hosts of one organization are its own; one host of many organizations is one host."""
    hosts = line(4, *[(("a", n), f"a{n}") for n in range(9)], (("b", "b"), "b"))
    assert taken(hosts) == ["a0", "a1", "a2", "b"]
    organizations = line(4, *[((n, "h"), f"h{n}") for n in range(9)], (("b", "b"), "b"))
    assert taken(organizations) == ["h0", "h1", "h2", "b"]


def test_who_waits_aside_for_two_holds_no_other() -> None:
    """When a share frees and its next has to wait for another's, the one behind goes in its stead."""
    both, other = ("a", "slow"), ("other", "slow")
    waiting = line(8, *[(both, "both")] * 6, (("a", "own"), "own"), (other, "other"))
    assert len(taken(waiting)) == 8
    waiting.add(both, "late")
    waiting.add(("a", "quick"), "next")
    waiting.done(("a", "own"))
    assert taken(waiting) == ["next"]
    waiting.done(other)
    assert taken(waiting) == []
    waiting.done(both)
    assert taken(waiting) == ["late"]


@pytest.mark.parametrize("seed", range(5))
def test_everybody_has_his_turn_in_the_end(seed: int) -> None:
    """Whatever ends in whatever order: none is forgotten, none has more than its share."""
    dice = random.Random(seed)
    waiting = FairQueue[int](8)
    under_way: list[Parties] = []
    found: list[int] = []
    for n in range(400):
        waiting.add((dice.choice("aaab"), dice.choice("xxyz")), n)
    while len(found) < 400:
        while (one := waiting.take()) is not None:
            under_way.append(one[0])
            found.append(one[1])
        assert len(under_way) <= 8
        assert all(max(Counter(p[sort] for p in under_way).values()) <= 7 for sort in (0, 1))
        waiting.done(under_way.pop(dice.randrange(len(under_way))))
    assert sorted(found) == list(range(400))


def test_what_is_drained_waits_no_more() -> None:
    """Those aside are told, too."""
    waiting = line(4, *[(("a",), f"a{n}") for n in range(5)], (("b",), "b"))
    assert len(taken(waiting)) == 4
    assert list(waiting.drain()) == ["a3", "a4"]
    assert waiting.take() is None
