"""Charts: the geometry and the words of each kind, as they were looked at beside the design."""

from datetime import UTC, datetime, timedelta

import pytest

from refresher.web.dashboard.chart_words import Limit, Over, Series, mean, plain, seconds
from refresher.web.dashboard.charts import Rect, columns, lines, phases, share

START = datetime(2026, 11, 29, 8, 30, tzinfo=UTC)


def over(hours: float = 6.0, **words: str) -> Over:
    """So many hours from half past eight on."""
    return Over(START, START + timedelta(hours=hours), lambda at: f"{at:%H:%M}", **words)


def series(word: str, *values: float | None) -> Series:
    """A line with its mean and its highest value in the table."""
    return Series(word, values, (("Mean", mean), ("Most", max)))


def test_one_line_has_an_area():
    """The highest value stands a little below the top; the words say range, hour and last value."""
    chart = lines("Refreshes a second", [series("all", 0, 80, 160)], over(), note="6 h")
    assert chart.lines[0].path == "M0.0 96.0L300.0 52.7L600.0 9.4"
    assert chart.area == "M0.0 96.0L300.0 52.7L600.0 9.4L600.0 96L0.0 96Z"
    assert (chart.peak, chart.axis) == ("170", ("08:30", "11:30", "14:30"))
    assert chart.grid == "M0 96H600M0 50.0H600M0 4H600"
    assert chart.legend == ()
    assert chart.label == "Refreshes a second over the last 6 hours: between 0 and 160, now 160"
    assert chart.table.head == ("Hour", "Mean", "Most")
    assert chart.table.rows[1] == ("09:30", "0", "0")
    assert chart.table.rows[5] == ("13:30", "160", "160")


def test_two_lines_share_a_scale():
    """The second is dashed, both stand in legend, words and table."""
    p99 = Series("p99", (1.0, 14.4), (("p99", max),))
    p50 = Series("p50", (0.4, 0.4), (("p50", mean),))
    chart = lines("Lateness", [p99, p50], over(), say=seconds)
    assert [(line.kind, line.word) for line in chart.legend] == [
        ("curve", "p99"),
        ("curve second", "p50"),
    ]
    assert chart.lines[1].path == "M0.0 93.7L600.0 93.7"
    assert chart.peak == "16 s"
    assert chart.label.endswith(": p99 between 1 s and 14.4 s, now 14.4 s; p50 always 0.4 s")
    assert chart.table.head == ("Hour", "p99", "p50")


def test_a_gap_is_a_gap():
    """What is not known breaks line and area; a value alone is still seen, and the words tell."""
    values = (1.0, 1.0, None, 2.0, None, None, 1.0, None)
    chart = lines("Rate", [series("all", *values)], over())
    assert chart.lines[0].path.count("M") == 3
    assert chart.area.count("Z") == 3
    assert "M214.3 8.4L300.0 8.4" in chart.lines[0].path
    assert chart.label.endswith("between 1 and 2; no numbers for 3 h of it")
    assert chart.table.rows[3] == ("11:30", "–", "–")


def test_nothing_known_draws_nothing():
    """Without a number, or with none at all, a chart says so and has no line."""
    for values in ((None, None), ()):
        chart = lines("Rate", [series("all", *values)], over())
        assert chart.is_empty
        assert (chart.area, chart.lines[0].path) == ("", "")
        assert chart.label == "Rate over the last 6 hours: no numbers yet"
    one = lines("Rate", [series("all", 5.0)], over())
    assert one.lines[0].path == "M0.0 9.2L300.0 9.2"
    assert lines("Rate", [series("all", 0.0, 0.0)], over()).peak == "1"


def test_columns_stand_beside_their_limit():
    """The limit is the top where nothing is higher; the words tell mean, most and when."""
    hour = over(1, words="in each of the next 60 minutes", table="From")
    limit = Limit(9_400, "fastest today", "the fastest minute today did 9,400")
    chart = columns("Due", [4_700.0] * 59 + [9_400.0], hour, limit=limit)
    assert chart.bars[0] == Rect("1.0", "50.0", "8.0", "46.0")
    assert chart.bars[59] == Rect("591.0", "4.0", "8.0", "92.0")
    assert (chart.lines[0].path, chart.lines[0].kind) == ("M0 4.0H600", "limit")
    assert (chart.peak, chart.axis) == ("9,400 / min", ("now", "09:00", "09:30"))
    assert chart.label == (
        "Due, in each of the next 60 minutes: about 4,778, at most 9,400 at 09:29; "
        "the fastest minute today did 9,400"
    )
    assert chart.table.head == ("From", "Due", "Most a minute")
    assert chart.table.rows[0] == ("08:30", "47,000", "4,700")


def test_columns_without_and_below_a_limit():
    """What is higher than the limit sets the scale; it is drawn without one and without values."""
    hour = over(1)
    low = columns("Due", [100.0, 200.0], hour, limit=Limit(100, "fastest", "did 100"))
    assert (low.peak, low.lines[0].path) == ("210 / min", "M0 52.2H600")
    assert columns("Due", [1.0], hour).lines == ()
    empty = columns("Due", [], hour)
    assert empty.is_empty
    assert empty.label == "Due: no numbers yet"
    assert columns("Due", [0.0, 0.0], hour, limit=Limit(50, "fastest", "did 50")).peak == "1 / min"


def test_phases_stand_on_one_scale():
    """The longest attempt fills the width; what took a moment can be seen, what took none is not."""
    found = phases([[("ph-wait", 1.0), ("ph-out", 9.0)], [("ph-wait", 0.001), ("ph-out", 0.0)]])
    assert [(r.x, r.width, r.kind) for r in found[0]] == [
        ("0.0", "23.6", "ph-wait"),
        ("23.6", "196.4", "ph-out"),
    ]
    assert [r.width for r in found[1]] == ["2.0", "0.0"]
    assert phases([]) == []
    assert phases([[("ph-wait", 0.0)]])[0][0].width == "0.0"


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(1, 4, "25.0%"), (5, 4, "100.0%"), (-1, 4, "0.0%"), (1, 0, "0.0%")],
)
def test_a_share_stays_in_its_whole(part: float, whole: float, told: str):
    """A part is a percentage between 0 and 100, whatever is asked."""
    assert share(part, whole) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.44, "0.4"), (9.95, "9.9"), (14.4, "14.4"), (112.3, "112"), (9_400, "9,400")],
)
def test_numbers_are_short(value: float, told: str):
    """Few digits where they matter, thousands grouped."""
    assert plain(value) == told


def test_long_times_change_their_unit():
    """Seconds stay seconds for two minutes."""
    assert [seconds(v) for v in (0.31, 1, 119, 720)] == ["0.3 s", "1 s", "119 s", "12 min"]
