"""The wait after a failure, and the length of a pause."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refresher.rules import policy as when
from refresher.rules.decision import decide
from refresher.rules.outcomes import Outcome, Reply, Revoked, Transient
from refresher.rules.policy import Policy
from tests.rules.samples import (
    DAY,
    HOUR,
    MINUTE,
    POLICIES,
    SAME_EACH_TIME,
    SPREADS,
    before,
    provider,
    reply,
)  # fmt: skip

USUAL = Policy()


# --- Retries: M12


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [
        (1, 2 * MINUTE),
        (2, 2 * MINUTE),
        (3, 4 * MINUTE),
        (4, 8 * MINUTE),
        (5, 16 * MINUTE),
        (6, 32 * MINUTE),
        (7, HOUR),
        (8, HOUR),
        (1_000_000, HOUR),
    ],
)
@pytest.mark.parametrize("left", [DAY, -30 * DAY])
def test_three_attempts_then_the_slow_lane(attempt: int, wait: float, left: float) -> None:
    """M12: 2 min twice, then 4, 8, 16, 32 and 60 minutes for ever; never "too late"."""
    assert when.retry_in(USUAL, attempt, left, 0.0) == wait


def test_the_slow_lane_is_spread_downwards() -> None:
    """M12: connections that failed together come back up to a quarter earlier, never later."""
    waits = [when.retry_in(USUAL, 7, -30 * DAY, s / 100) for s in range(100)]
    assert max(waits) == HOUR
    assert min(waits) == pytest.approx(0.7525 * HOUR)
    assert len(set(waits)) == 100


def test_a_short_lead_holds_all_attempts() -> None:
    """M12: with 40 s left the waits are 10 s each, and a fourth try comes before the end."""
    left, waits = 40.0, []
    for attempt in (1, 2, 3):
        waits.append(when.retry_in(USUAL, attempt, left, 0.9))
        left -= waits[-1]
    assert waits == pytest.approx([10.0, 10.0, 10.0])
    assert left == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("attempt", "dead_for", "longest"),
    [
        (1, 0.0, MINUTE),
        (4, 1.0, MINUTE),
        (9, 4 * MINUTE, MINUTE),
        (9, 20 * MINUTE, 5 * MINUTE),
        (9, 2 * HOUR, 30 * MINUTE),
        (9, DAY, HOUR),
        (3, DAY, 4 * MINUTE),  # never longer than for a token that lives
        (4, -3.0, MINUTE + 3.0),  # it lives for three seconds more
        (5, -5 * MINUTE, 6 * MINUTE),
    ],
)
def test_a_dead_token_waits_a_minute_or_a_quarter_of_the_time_it_is_dead(
    attempt: int, dead_for: float, longest: float
) -> None:
    """M22: nobody waits 13 minutes for a provider that has long been back; spread downwards."""
    assert when.retry_in(USUAL, attempt, -dead_for, 0.0) == longest
    assert when.retry_in(USUAL, attempt, -dead_for, 0.9) >= longest * 0.75


@pytest.mark.parametrize(
    ("knobs", "waits"),
    [
        (Policy(attempts=1), [240.0, 480.0]),
        (Policy(attempts=5, attempt_coefficient=2.0), [120.0, 240.0, 480.0, 960.0, 240.0]),
        (Policy(attempts=9, attempt_coefficient=10.0), [120.0, 1200.0, HOUR, HOUR]),
        (Policy(attempt_interval_seconds=2 * HOUR), [2 * HOUR, 2 * HOUR, HOUR]),
        (Policy(attempt_interval_seconds=0.1), [1.0, 1.0, 1.0, 1.0, 1.0, 1.6]),
    ],
)
def test_the_knobs_shape_the_waits(knobs: Policy, waits: list[float]) -> None:
    """M12: interval, coefficient, number and cap do what they say; no wait is below a second."""
    found = [when.retry_in(knobs, n, -30 * DAY, 0.0) for n in range(1, len(waits) + 1)]
    assert found == pytest.approx(waits)


@settings(SAME_EACH_TIME, max_examples=1_000)
@given(
    POLICIES,
    st.integers(min_value=1, max_value=10**9),
    st.floats(min_value=-1e9, max_value=1e9),
    SPREADS,
)
def test_a_wait_has_bounds_for_ever(
    policy: Policy, attempt: int, left: float, spread: float
) -> None:
    """M12: at least a second, at most the larger of the two knobs, after any number of failures."""
    wait = when.retry_in(policy, attempt, left, spread)
    longest = max(policy.attempt_interval_seconds, policy.slow_lane_max_seconds)
    assert 1.0 <= wait <= max(1.0, longest)


# --- Pauses: M4 and M5


@pytest.mark.parametrize(("asked", "pause"), [(None, 60.0), (30.0, 30.0), (0.0, 1.0), (DAY, DAY)])
def test_a_rate_limit_is_waited_out(asked: float | None, pause: float) -> None:
    """M5: as long as the provider asks, else a minute; never less than a second."""
    assert when.rate_limit_pause(USUAL, asked) == pause


@pytest.mark.parametrize(
    ("refusals", "minutes"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 15), (10**9, 15)],
)
def test_a_refused_app_is_probed_ever_more_seldom(refusals: int, minutes: float) -> None:
    """M4: after 1, 2, 4, 8 and then each 15 minutes: at most one probe a minute."""
    assert when.app_pause(USUAL, refusals) == minutes * MINUTE


@pytest.mark.parametrize(
    ("pause", "spread", "due"),
    [
        (60.0, 0.0, 60.0),
        (60.0, 0.5, 63.0),
        (1.0, 0.5, 1.5),
        (0.0, 0.5, 0.5),
        (900.0, 0.5, 930.0),
        (DAY, 0.5, DAY + 30.0),
    ],
)
def test_rows_come_back_after_a_pause_one_by_one(pause: float, spread: float, due: float) -> None:
    """M5: never before its end; spread over a tenth of it, between a second and a minute."""
    assert when.after_pause(pause, spread) == due


@pytest.mark.parametrize(
    ("outcome", "given", "due"),
    [
        (Transient("timeout"), reply(status=None, failure="timeout", elapsed_seconds=20), 580.0),
        (Transient("x", None, 500), reply(b"", 500), 600.0),
        (Transient("x", None, 500), reply(status=None, failure="connect", sent=False), 120.0),
        (Transient("x", 1_000.0, 503), reply(b"", 503), 1_000.0),
        (Revoked("invalid_grant", 400), reply(b"", 400), None),
    ],
)
def test_the_next_request_of_a_grant_is_no_nearer_than_its_provider_takes_it(
    outcome: Outcome, given: Reply, due: float | None
) -> None:
    """`refresh_interval_seconds` counts from when the request left, if it may have left."""
    of = provider(refresh_interval_seconds=600.0)
    known = before(left_seconds=HOUR)
    decision = decide(outcome, given, known, of, Policy())
    assert decision.next_due_in_seconds == due


def test_a_short_life_is_refreshed_no_sooner_than_its_grant_may_be_asked() -> None:
    """The lead gives way, as it does to a token's least age."""
    of = provider(refresh_interval_seconds=1_800.0)
    assert when.lead(Policy(), of, 2_000.0, 0.5) == 200.0
