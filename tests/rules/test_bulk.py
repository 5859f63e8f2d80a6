"""Many connections at once: which deed fits which state, how it is paced, who may go on with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules.access import ApiKey, Scope
from refresher.rules.bulk import (
    Deed,
    LeftOut,
    Standing,
    lacks_right,
    left_out,
    pace,
    spread_seconds,
    why_left_out,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FINE = Standing()
PAUSED, DISABLED = Standing(paused=True), Standing(disabled=True)
DEAD = Standing(reconnect_required=True, parked_reason="reconnect_required")
BLOCKED = Standing(parked_reason="crash_loop")
UNSTORED = Standing(parked_reason="unstored")
SIBLING, ROOT = Standing(is_sibling=True), Standing(holds_grant=True)
CONNECTING = Standing(in_between_steps=True, parked_reason="mid_oauth")


@pytest.mark.parametrize(
    ("deed", "standing", "expected"),
    [
        (Deed.REFRESH, FINE, None),
        (Deed.REFRESH, ROOT, None),
        (Deed.REFRESH, SIBLING, LeftOut.SHARES_GRANT),
        (Deed.REFRESH, PAUSED, LeftOut.STOPPED),
        (Deed.REFRESH, DISABLED, LeftOut.STOPPED),
        (Deed.REFRESH, CONNECTING, LeftOut.CONNECTING),
        (Deed.REFRESH, DEAD, LeftOut.RECONNECT),
        (Deed.REFRESH, BLOCKED, LeftOut.BLOCKED),
        (Deed.REFRESH, UNSTORED, LeftOut.UNSTORED),
        (Deed.REFRESH, Standing(leased=True), LeftOut.UNDER_WAY),
        (Deed.REFRESH, Standing(waits=True), LeftOut.WAITING),
        (Deed.RESUME, FINE, LeftOut.ALREADY),
        (Deed.RESUME, PAUSED, None),
        (Deed.RESUME, DISABLED, None),
        (Deed.RESUME, replace(DEAD, is_sibling=True), LeftOut.SHARES_GRANT),
        (Deed.RESUME, replace(PAUSED, is_sibling=True), None),
        (Deed.RESUME, CONNECTING, LeftOut.CONNECTING),
        (Deed.RESUME, DEAD, None),
        (Deed.RESUME, BLOCKED, None),
        (Deed.RESUME, UNSTORED, LeftOut.UNSTORED),
        (Deed.RESUME, Standing(slot_parked=True), None),
        (Deed.ENABLE, DISABLED, None),
        (Deed.ENABLE, PAUSED, LeftOut.ALREADY),
        (Deed.PAUSE, FINE, None),
        (Deed.PAUSE, DISABLED, None),
        (Deed.PAUSE, PAUSED, LeftOut.ALREADY),
        (Deed.DISABLE, PAUSED, None),
        (Deed.DISABLE, DISABLED, LeftOut.ALREADY),
        (Deed.DELETE, FINE, None),
        (Deed.DELETE, DEAD, None),
        (Deed.DELETE, SIBLING, None),
        (Deed.DELETE, ROOT, LeftOut.HOLDS_GRANT),
    ],
)
def test_a_deed_fits_a_state_or_leaves_it_out(
    deed: Deed, standing: Standing, expected: LeftOut | None
) -> None:
    """Who is left out is told why."""
    assert left_out(deed, standing) is expected


@pytest.mark.parametrize("deed", Deed)
def test_what_is_gone_or_changed_is_left_out_of_everything(deed: Deed) -> None:
    """Nobody's yes was about it."""
    assert left_out(deed, Standing(deleted=True, changed=True)) is LeftOut.GONE
    assert left_out(deed, replace(DISABLED, changed=True)) is LeftOut.CHANGED


@pytest.mark.parametrize(
    ("deed", "reason", "number", "words"),
    [
        (Deed.RESUME, LeftOut.SHARES_GRANT, 2, "they share the grant of another"),
        (Deed.RESUME, LeftOut.SHARES_GRANT, 1, "it shares the grant of another"),
        (Deed.PAUSE, LeftOut.ALREADY, 3, "they are paused already"),
        (Deed.RESUME, LeftOut.ALREADY, 1, "it waits for nothing"),
    ],
)
def test_a_reason_follows_its_number(deed: Deed, reason: LeftOut, number: int, words: str) -> None:
    """One is `it`, several are `they`."""
    assert why_left_out(deed, reason, number) == words


def test_every_reason_has_words() -> None:
    """For one and for several, whatever the deed."""
    for deed in Deed:
        assert all(why_left_out(deed, reason, 1).startswith("it ") for reason in LeftOut)
        assert all(why_left_out(deed, reason, 2).startswith("they ") for reason in LeftOut)


def test_a_provider_keeps_half_of_its_rate() -> None:
    """And one that tells none gets twenty a second."""
    assert (pace(10.0), pace(None)) == (5.0, 20.0)


@pytest.mark.parametrize(
    ("numbers", "seconds"),
    [
        ({}, 0.0),
        ({"slow": 50, "any": 20}, 10.0),
        ({"any": 200, "slow": 1}, 10.0),
        ({f"p{n}": 10 for n in range(100)}, 5.0),
    ],
)
def test_the_slowest_provider_says_how_long_it_takes(
    numbers: dict[str, int], seconds: float
) -> None:
    """And together they are never more than two hundred a second."""
    assert spread_seconds(numbers, {"slow": 10.0}) == seconds


KEY = ApiKey("abcdefghijkl", "k", None, frozenset({Scope.WRITE}), b"", NOW)


@pytest.mark.parametrize(
    ("changes", "bound_to", "expected"),
    [
        ({}, None, None),
        ({"organization_id": "org"}, "org", None),
        ({}, "org", None),
        ({"expires_at": NOW + timedelta(1)}, None, None),
        ({"revoked_at": NOW}, None, "its API key is revoked"),
        ({"expires_at": NOW}, None, "its API key has expired"),
        ({"scopes": frozenset({Scope.READ})}, None, "its API key lacks the scope write"),
        ({"organization_id": "org"}, None, "its API key belongs to another organization now"),
        ({"organization_id": "b"}, "a", "its API key belongs to another organization now"),
    ],
)
def test_the_right_is_judged_again(
    changes: dict[str, object], bound_to: str | None, expected: str | None
) -> None:
    """A key that is revoked or narrowed ends what it began."""
    key = replace(KEY, **changes)  # type: ignore[arg-type]
    assert lacks_right(key, bound_to, Scope.WRITE, NOW) == expected


def test_a_key_that_is_gone_has_no_right() -> None:
    """Whatever it was."""
    assert lacks_right(None, None, Scope.WRITE, NOW) == "its API key is gone"
