"""The charts of samples: which numbers they show, in which words, and what they say of a gap."""

from datetime import UTC, datetime, timedelta
from typing import Any

from refresher.store.sample_history import DueCurve, History, HistoryPoint
from refresher.web.dashboard import history_charts

NOW = datetime(2026, 11, 29, 14, 30, tzinfo=UTC)


def clock(at: datetime) -> str:
    """As most see it."""
    return f"{at:%H:%M}"


def history(*points: dict[str, Any]) -> History:
    """Six hours in so few points."""
    since, step = NOW - timedelta(hours=6), 6 * 3600 / len(points)
    made = [HistoryPoint(since + timedelta(seconds=step * n), **p) for n, p in enumerate(points)]
    return History(since, NOW, step, None, made, None)


def test_rates_and_lateness_of_six_hours():
    """Words, note, and the gap of an hour in which nobody took samples."""
    found = history(
        {"refreshed_per_second": 40.0, "lateness_p50_seconds": 0.4, "lateness_p99_seconds": 2.0},
        {},
        {"refreshed_per_second": 112.0, "lateness_p50_seconds": 0.5, "lateness_p99_seconds": 14.4},
    )
    rate = history_charts.rates(found, clock)
    assert rate.note == "6 h"
    assert rate.label == (
        "Refreshes a second over the last 6 h: between 40 and 112, now 112; no numbers for 2 h of it"
    )
    late = history_charts.lateness(found, clock)
    assert [line.word for line in late.legend] == ["p99", "p50"]
    assert "p99 between 2 s and 14.4 s, now 14.4 s; p50 between 0.4 s and 0.5 s" in late.label


def test_answers_of_a_provider_are_told_by_the_minute():
    """All answers, those without a token, and how long they took."""
    found = history(
        {"refreshed_per_second": 1.0, "failed_per_second": 0.5, "answer_p50_seconds": 0.314},
        {},
    )
    chart = history_charts.answers(found, clock)
    assert chart.title == "Answers a minute"
    assert "all always 90; without a token always 30" in chart.label
    assert "p50 always 0.31 s" in history_charts.times(found, clock).label


def test_what_is_due_stands_beside_the_fastest_minute():
    """With a limit where there is one; without a look it says so."""
    chart = history_charts.due(DueCurve(NOW, [10] * 60, 94.0), clock, NOW)
    assert chart.peak == "94 / min"
    assert chart.axis == ("now", "15:00", "15:30")
    assert chart.label.endswith("the fastest minute of the last day did 94")
    assert history_charts.due(DueCurve(NOW, [10] * 60, None), clock, NOW).legend == ()
    assert history_charts.due(None, clock, NOW).is_empty
