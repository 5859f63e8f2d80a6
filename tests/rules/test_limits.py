"""The arithmetic of rates and capacity, as tables."""

import pytest

from refresher.rules.limits import Allowance, BreakerPolicy, Opened, delays, opens, room


@pytest.mark.parametrize(
    ("tokens", "waited_seconds", "asked", "granted"),
    [
        (10.0, 0.0, 25, 10),  # a full bucket, and no more
        (0.0, 0.11, 25, 1),  # filled at ten a second
        (0.0, 0.05, 25, 0),
        (0.0, 60.0, 25, 10),  # never more than a second's worth
        (10.0, 0.0, 3, 3),
        (10.0, 0.0, 0, 0),
    ],
)
def test_a_bucket_grants_what_it_holds(
    tokens: float, waited_seconds: float, asked: int, granted: int
) -> None:
    """Ten a second: a burst of one second's worth, then the rate."""
    assert Allowance(10.0, tokens, 100.0).grant(100.0 + waited_seconds, asked) == granted


def test_a_slow_rate_still_lets_one_go() -> None:
    """One a minute: the bucket holds one whole request, not a sixtieth."""
    bucket = Allowance(1 / 60, 1.0, 0.0)
    assert [bucket.grant(now, 5) for now in (0.0, 59.0, 60.1)] == [1, 0, 1]


def test_a_burst_may_be_larger_than_a_second_s_worth() -> None:
    """Ten a second and thirty at once: thirty go, then one each tenth of a second."""
    bucket = Allowance(10.0, 30.0, 0.0, burst=30.0)
    assert [bucket.grant(now, 40) for now in (0.0, 0.1, 60.0)] == [30, 1, 30]


def test_over_a_minute_the_rate_is_kept() -> None:
    """Asking a hundred times a second gets a minute's worth and the first burst, no more."""
    bucket = Allowance(10.0, 10.0, 0.0)
    assert 600 <= sum(bucket.grant(tick / 100, 7) for tick in range(6000)) <= 610


def test_what_does_not_fit_is_spread_over_the_time_it_takes() -> None:
    """Four at two a second come again over two seconds."""
    assert delays(2.0, 4) == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(("taken", "fits"), [(0, 5), (8, 2), (10, 0), (12, 0)])
def test_there_is_room_for_what_is_left_of_a_capacity(taken: int, fits: int) -> None:
    """Never less than nothing."""
    assert room(10, taken, 5) == fits


@pytest.mark.parametrize(
    ("failures", "refusals", "pause"),
    [
        (19, 0, None),
        (20, 0, Opened(30.0, 1)),
        (1, 1, Opened(60.0, 2)),  # a probe that fails opens again at once
        (1, 3, Opened(240.0, 4)),
        (1, 9, Opened(600.0, 10)),
        (1, 5000, Opened(600.0, 5001)),
    ],
)
def test_a_breaker_opens_after_failures_in_a_row(
    failures: int, refusals: int, pause: Opened | None
) -> None:
    """Twenty in a row, then each failed probe, for twice as long up to ten minutes."""
    assert opens(BreakerPolicy(), failures, refusals) == pause
