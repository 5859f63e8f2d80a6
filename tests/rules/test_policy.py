"""When: leads, waits and pauses, as tables and as properties. The days are in `test_days.py`."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refresher.rules import policy as when
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider, Strategy
from tests.rules.samples import (
    DAY,
    HOUR,
    ID,
    MINUTE,
    POLICIES,
    SAME_EACH_TIME,
    SPREADS,
    provider,
)

ACME = provider()
LONG_LIVED = provider(strategy=Strategy.LONG_LIVED_EXCHANGE)
USUAL = Policy()
MIDDLE = 0.5

LIVES = st.floats(min_value=1e-3, max_value=1e9)
PROVIDERS = st.builds(
    provider,
    strategy=st.sampled_from(Strategy),
    refresh_token_clock=st.sampled_from(["sliding", "fixed"]),
    not_before_expiry_seconds=st.none() | st.floats(min_value=1, max_value=30 * DAY),
    min_token_age_seconds=st.floats(min_value=0, max_value=30 * DAY),
)


# --- Lifetimes: M7


@pytest.mark.parametrize(
    ("answered", "in_token", "last", "documented", "counted"),
    [
        (60.0, 70.0, 80.0, 90.0, 60.0),
        (None, 70.0, 80.0, 90.0, 70.0),
        (None, None, 80.0, 90.0, 80.0),
        (None, None, None, 90.0, 90.0),
        (None, None, None, None, HOUR),
        (None, None, 0.0, 0.0, HOUR),
        (60.0, 20.0, 80.0, 90.0, 20.0),
        (60.0, 0.0, 80.0, 90.0, 0.0),
        (0.0, None, 80.0, 90.0, 0.0),
        (80_000.0, None, 80.0, None, 80.0),
        (80_000.0, None, 60.0, None, 80_000.0),
    ],
)
def test_a_lifetime_is_the_first_one_known(
    answered: float | None,
    in_token: float | None,
    last: float | None,
    documented: float | None,
    counted: float,
) -> None:
    """M7, M18: the shorter one told, else the last, the documented, an hour: there is always one."""
    of = provider(access_token_lifetime_seconds=documented)
    assert when.lifetime(answered, in_token, last, of) == counted


# --- Leads: M8


@pytest.mark.parametrize(
    ("life", "lead"),
    [(MINUTE, 12.0), (5 * MINUTE, MINUTE), (HOUR, 12 * MINUTE), (60 * DAY, 12 * DAY)],
)
def test_the_lead_is_a_fifth_of_the_life(life: float, lead: float) -> None:
    """M8: 12 seconds of a minute, 12 minutes of an hour, 12 days of sixty."""
    assert when.lead(USUAL, ACME, life, MIDDLE) == pytest.approx(lead)


@pytest.mark.parametrize(
    ("of", "spread", "share"),
    [
        (ACME, 0.0, 0.18),
        (ACME, 0.5, 0.20),
        (ACME, 0.999999, 0.22),
        (LONG_LIVED, 0.0, 0.50),
        (LONG_LIVED, 0.5, 0.475),
        (LONG_LIVED, 0.999999, 0.45),
    ],
)
def test_the_lead_is_spread_by_a_tenth(of: Provider, spread: float, share: float) -> None:
    """M8: a fifth, give or take; a token that is its own grant from half its life on, not before."""
    assert when.lead(USUAL, of, HOUR, spread) == pytest.approx(share * HOUR, rel=1e-5)


@pytest.mark.parametrize(
    ("facts", "life", "lead"),
    [
        ({"not_before_expiry_seconds": 300.0}, HOUR, 270.0),
        ({"not_before_expiry_seconds": 2 * HOUR}, HOUR, 12 * MINUTE),
        ({"min_token_age_seconds": 0.9 * HOUR}, HOUR, 0.1 * HOUR),
        ({"min_token_age_seconds": 2 * HOUR}, HOUR, 0.0),
    ],
)
def test_a_provider_s_rules_shorten_the_lead(
    facts: dict[str, float], life: float, lead: float
) -> None:
    """M8: no refresh before the provider's window opens, none of a token younger than allowed."""
    assert when.lead(USUAL, provider(**facts), life, MIDDLE) == pytest.approx(lead)


def test_two_refreshes_keep_their_distance() -> None:
    """M8: a life hardly longer than the floor between two refreshes leaves a short lead."""
    floor = Policy(min_refresh_interval_seconds=50.0)
    assert when.lead(floor, ACME, MINUTE, MIDDLE) == pytest.approx(10.0)
    assert when.lead(floor, ACME, 40.0, MIDDLE) == 0.0


@pytest.mark.slow
@settings(SAME_EACH_TIME, max_examples=1_000)
@given(POLICIES, PROVIDERS, LIVES, SPREADS)
def test_a_lead_is_never_negative_and_never_longer_than_the_life(
    policy: Policy, of: Provider, life: float, spread: float
) -> None:
    """M8: whatever the knobs; and it leaves the token the age that the provider demands."""
    lead = when.lead(policy, of, life, spread)
    assert 0.0 <= lead <= life
    if lead > 0:
        assert life - lead >= of.min_token_age_seconds - 1e-6 * life
        assert lead <= (of.not_before_expiry_seconds or lead)


# --- Due times: M6, M8 and M9


@pytest.mark.parametrize(
    ("left", "due"),
    [(HOUR, 48 * MINUTE), (30 * MINUTE, 18 * MINUTE), (12 * MINUTE, 0.0), (-DAY, 0.0)],
)
def test_a_refresh_is_due_when_the_lead_begins(left: float, due: float) -> None:
    """M6: once inside the lead, or long expired, it is due at once."""
    assert when.due_in(USUAL, ACME, HOUR, left, MIDDLE) == pytest.approx(due)


@pytest.mark.parametrize(
    ("clock", "end", "due"),
    [
        ("sliding", 30 * DAY, 24 * DAY),
        ("sliding", 90 * DAY, 48 * DAY),
        ("sliding", -DAY, 0.0),
        ("sliding", None, 48 * DAY),
        ("fixed", 30 * DAY, 48 * DAY),
    ],
)
def test_a_refresh_token_is_used_before_its_idle_end(
    clock: str, end: float | None, due: float
) -> None:
    """M9: an idle clock brings the refresh forward; a fixed end cannot be moved by using it."""
    of = provider(refresh_token_clock=clock)
    assert when.due_in(USUAL, of, 60 * DAY, 60 * DAY, MIDDLE, end) == pytest.approx(due)


def test_idle_ends_are_spread() -> None:
    """M9: refresh tokens that were imported together are not used in the same second."""
    dues = {when.due_in(USUAL, ACME, 60 * DAY, 60 * DAY, s / 10, 30 * DAY) for s in range(10)}
    assert len(dues) == 10
    assert all(23 * DAY < due < 25 * DAY for due in dues)


@pytest.mark.slow
@settings(SAME_EACH_TIME, max_examples=1_000)
@given(
    POLICIES,
    PROVIDERS,
    LIVES,
    st.floats(min_value=-1e9, max_value=1e9),
    SPREADS,
    st.none() | st.floats(min_value=-1e9, max_value=1e9),
)
def test_a_due_time_is_never_in_the_past_nor_after_the_end(
    policy: Policy, of: Provider, life: float, left: float, spread: float, end: float | None
) -> None:
    """M8: due between now and the expiry; at once when that has passed."""
    due = when.due_in(policy, of, life, left, spread, end)
    assert 0.0 <= due <= max(0.0, left)


# --- The spread


@settings(SAME_EACH_TIME, max_examples=200)
@given(st.uuids(), st.integers(min_value=0, max_value=2**63 - 1))
def test_a_spread_is_always_the_same_and_below_one(connection_id: UUID, version: int) -> None:
    """M8: a due time can be explained later, since nothing in it was thrown away."""
    spread = when.stable_spread(connection_id, version)
    assert 0.0 <= spread < 1.0
    assert spread == when.stable_spread(connection_id, version)


def test_a_spread_below_one_even_at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    """M8: the highest digest there is does not round up to one."""

    class Highest:
        def digest(self) -> bytes:
            return b"\xff" * 8

    monkeypatch.setattr(when, "blake2b", lambda *_, **__: Highest())
    assert when.stable_spread(ID, 1) < 1.0


def test_spreads_cover_the_range_evenly() -> None:
    """M8: both the connection and its version move the spread, so tokens drift apart."""
    by_version = [when.stable_spread(ID, n) for n in range(2_000)]
    by_connection = [when.stable_spread(uuid4(), 1) for _ in range(2_000)]
    for spreads in (by_version, by_connection):
        tenths = [sum(int(s * 10) == tenth for s in spreads) for tenth in range(10)]
        assert all(100 < count < 300 for count in tenths)
