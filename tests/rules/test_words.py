"""Words for counts and distances."""

from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules.words import MOST_COUNTED, counted, distance

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "word", "told"),
    [
        (0, None, "0"),
        (10_000, None, "10,000"),
        (MOST_COUNTED, None, "10,000+"),
        (1, "message", "1 message"),
        (38, "message", "38 messages"),
        (MOST_COUNTED * 2, "message", "10,000+ messages"),
    ],
)
def test_a_count_ends(count: int, word: str | None, told: str) -> None:
    """What is more than 10,000 is told as such, whatever the number is."""
    assert counted(count, word) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.5, "now"), (180, "in 3 min"), (-7_200, "2 h ago"), (None, "")]
)
def test_a_distance_is_told_from_now(seconds: float | None, told: str) -> None:
    """An instant ahead is `in` some time, one behind is `ago`, and none is nothing."""
    at = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert distance(at, NOW) == told
