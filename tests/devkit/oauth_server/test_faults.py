"""The fault board as tables: which request is hit. No server."""

import pytest

from refresher.devkit.oauth_server import FaultRule
from refresher.devkit.oauth_server.faults import FaultBoard
from refresher.devkit.oauth_server.options import Mistake, read_as


def always() -> float:
    """Dice that hit every chance above zero."""
    return 0.0


def hits(rule: FaultRule, requests: int, external_id: str | None = "acct-0") -> list[bool]:
    """Plays a number of requests against one rule."""
    board = FaultBoard()
    board.add(rule)
    return [board.pick(external_id, always) is rule for _ in range(requests)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FaultRule("status_500"), [True, True, True, True]),
        (FaultRule("status_500", probability=0), [False] * 4),
        (FaultRule("status_500", count=2), [True, True, False, False]),
        (FaultRule("status_500", every_nth=2), [False, True, False, True]),
        (FaultRule("status_500", every_nth=2, count=1), [False, True, False, False]),
        (FaultRule("status_500", match="acct-"), [True] * 4),
        (FaultRule("status_500", match="other-"), [False] * 4),
    ],
)
def test_a_rule_strikes_as_it_says(rule: FaultRule, expected: list[bool]) -> None:
    """Chance, every Nth, a count, and a prefix of the external id decide which request is hit."""
    assert hits(rule, 4) == expected


@pytest.mark.parametrize(("roll", "is_hit"), [(0.19, True), (0.2, False)])
def test_chance_is_decided_by_the_dice(roll: float, is_hit: bool) -> None:
    """A probability of 0.2 strikes on a roll under 0.2."""
    board = FaultBoard()
    board.add(FaultRule("status_500", probability=0.2))
    assert (board.pick(None, lambda: roll) is not None) is is_hit


def test_a_rule_with_a_prefix_spares_unknown_tokens() -> None:
    """A request whose token belongs to nobody is hit by rules without a prefix only."""
    assert hits(FaultRule("garbage", match="acct-"), 1, external_id=None) == [False]
    assert hits(FaultRule("garbage"), 1, external_id=None) == [True]


def test_the_first_rule_that_strikes_wins() -> None:
    """Rules are asked in the order they were added, and those behind a hit are not counted."""
    board = FaultBoard()
    first, second = FaultRule("status_500", count=1), FaultRule("garbage", count=1)
    board.add(first)
    board.add(second)
    assert [board.pick("acct-0", always) for _ in range(3)] == [first, second, None]
    assert [armed.struck for armed in board.armed] == [1, 1]


def test_a_cleared_board_strikes_nobody() -> None:
    """Clearing takes every rule away and says how many there were."""
    board = FaultBoard()
    board.add(FaultRule("status_500"))
    assert board.clear() == 1
    assert board.pick("acct-0", always) is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "slow", "probability": 2}, "probability"),
        ({"kind": "slow", "probability": 0.5, "every_nth": 2}, "every_nth"),
        ({"kind": "slow", "every_nth": 0}, "every_nth"),
        ({"kind": "slow", "count": 0}, "count"),
        ({"kind": "slow", "count": -1}, "count"),
        ({"kind": "slow", "seconds": -1}, "seconds"),
        ({"kind": "status_503", "retry_after_seconds": -1}, "retry_after_seconds"),
        ({"kind": "huge", "megabytes": 5000}, "megabytes"),
        ({"kind": "error", "status": 99}, "status"),
        ({"kind": "slow", "colour": "red"}, "colour"),
    ],
)
def test_an_impossible_rule_is_refused(fields: dict[str, object], named: str) -> None:
    """A rule that can never strike or contradicts itself is refused with its field's name."""
    with pytest.raises(Mistake, match=named) as caught:
        read_as(FaultRule, fields)
    assert "\n" not in str(caught.value)
