"""The charts of samples: refreshes, lateness, what is due, and one provider's answers. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from refresher.rules.words import number
from refresher.store.sample_history import DueCurve, History, HistoryPoint
from refresher.web.dashboard.chart_words import (
    Limit,
    Over,
    Series,
    Values,
    mean,
    plain,
    seconds,
)
from refresher.web.dashboard.charts import Chart, columns, lines

Clock = Callable[[datetime], str]
"""How an instant of the day is written in the zone of whoever looks: 14:32."""
MINUTE = 60.0


def rates(history: History, clock: Clock) -> Chart:
    """Returns refreshes a second."""
    values = _values(history, lambda point: point.refreshed_per_second)
    series = Series("refreshes", values, (("Mean", mean), ("Most", max)))
    return lines("Refreshes a second", [series], _over(history, clock), note=_hours(history))


def lateness(history: History, clock: Clock) -> Chart:
    """Returns how late refreshes were."""
    p99 = _values(history, lambda point: point.lateness_p99_seconds)
    p50 = _values(history, lambda point: point.lateness_p50_seconds)
    both = [Series("p99", p99, (("p99", max),)), Series("p50", p50, (("p50", mean),))]
    over = _over(history, clock)
    return lines("Lateness", both, over, say=seconds, has_area=False)


def answers(history: History, clock: Clock) -> Chart:
    """Returns answers a minute: all, and those without a token."""
    bad = _values(history, lambda point: _a_minute(point.failed_per_second))
    good = _values(history, lambda point: _a_minute(point.refreshed_per_second))
    both = [_sum(one, other) for one, other in zip(good, bad, strict=True)]
    return lines(
        "Answers a minute",
        [
            Series("all", both, (("All, a minute", mean),)),
            Series("without a token", bad, (("Without a token", mean),)),
        ],
        _over(history, clock),
        note=_hours(history),
    )


def times(history: History, clock: Clock) -> Chart:
    """Returns how long a provider's answers took."""
    p99 = _values(history, lambda point: point.answer_p99_seconds)
    p50 = _values(history, lambda point: point.answer_p50_seconds)
    both = [Series("p99", p99, (("p99", max),)), Series("p50", p50, (("p50", mean),))]
    over = _over(history, clock)
    return lines(
        "Time to answer", both, over, say=short_seconds, note=_hours(history), has_area=False
    )


def due(curve: DueCurve | None, clock: Clock, now: datetime) -> Chart:
    """Returns what falls due in the next hour, beside the fastest minute of the last day."""
    since = now if curve is None else curve.at
    over = Over(
        since,
        since + timedelta(hours=1),
        clock,
        words="in each of the next 60 minutes",
        table="From",
    )
    fastest = None if curve is None else curve.fastest_per_minute
    limit = None
    if fastest:
        told = f"the fastest minute of the last day did {plain(fastest)}"
        limit = Limit(fastest, "fastest of a day", told)
    values = [] if curve is None else curve.per_minute
    return columns("Due in the next hour", values, over, limit=limit)


def _over(history: History, clock: Clock) -> Over:
    return Over(history.since, history.until, clock, f"over the last {_hours(history)}")


def _hours(history: History) -> str:
    return f"{number((history.until - history.since).total_seconds() / 3600)} h"


def _values(history: History, of: Callable[[HistoryPoint], float | None]) -> Values:
    return [of(point) for point in history.points]


def _a_minute(per_second: float | None) -> float | None:
    return None if per_second is None else per_second * MINUTE


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def short_seconds(value: float) -> str:
    """Returns seconds with two digits behind the point where an answer is quick: 0.31 s."""
    return f"{value:.2f} s" if 0 < value < 1 else seconds(value)
