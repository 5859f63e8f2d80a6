"""`rules/times.py`: instants and spans as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from refresher.rules.times import NoTime, instant, span

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("given", "zone", "expected"),
    [
        ("2026-03-01T12:00:00Z", None, NOON),
        (" 2026-03-01T13:00+01:00 ", None, NOON),
        ("2026-03-01T13:00", PARIS, NOON),
        ("10m ago", None, NOON - timedelta(minutes=10)),
        ("-1.5 hours", None, NOON - timedelta(minutes=90)),
        ("a day ago", None, NOON - timedelta(days=1)),
        ("Yesterday", None, NOON - timedelta(days=1)),
        ("5 minutes ago", None, NOON - timedelta(minutes=5)),
        ("now", None, NOON),
    ],
)
def test_an_instant_is_read(given: str, zone: tzinfo | None, expected: datetime) -> None:
    """By its offset, by the zone of whoever asks, or by how long ago it was."""
    assert instant(given, NOON, zone) == expected


@pytest.mark.parametrize(
    ("given", "zone", "says"),
    [
        ("last week", None, "is no time"),
        ("many years ago", None, "is no time"),
        ("2026-03-01T12:00", None, "has no offset"),
        ("999999999w ago", None, "longer ago"),
        ("0001-01-01T00:00", PARIS, "farther off"),
    ],
)
def test_what_is_no_instant_is_told_why(given: str, zone: tzinfo | None, says: str) -> None:
    """The sentence goes on behind what was typed."""
    with pytest.raises(NoTime, match=says):
        instant(given, NOON, zone)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), (" 2h", 7200), ("an hour", 3600), ("2", None), ("2y", None)]
)
def test_a_span_has_a_number_and_a_unit(text: str, seconds: float | None) -> None:
    """None for what is none."""
    assert span(text) == seconds
