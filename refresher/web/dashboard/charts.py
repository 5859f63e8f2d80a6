"""Charts as SVG geometry: numbers in, shapes and words out. Pure; templates only print them.

A plot is 600 by 96 and stretched to its place, so nothing in it is text: its words stand around it, and
the same numbers stand beside it as a table. A number that is not known (None) is a gap, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from refresher.web.dashboard.chart_words import (
    Limit,
    Over,
    Say,
    Series,
    Table,
    Values,
    column_label,
    column_table,
    line_label,
    line_table,
    plain,
)

WIDTH, HEIGHT, TOP = 600.0, 96.0, 4.0
GRID = f"M0 {HEIGHT:g}H{WIDTH:g}M0 {(HEIGHT + TOP) / 2:.1f}H{WIDTH:g}M0 {TOP:g}H{WIDTH:g}"
PHASES_WIDTH, LEAST_WIDTH = 220.0, 2.0


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in the units of its plot; `kind` is its class."""

    x: str
    y: str
    width: str
    height: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line: its path, its class (`curve`, `curve second`, `limit`), and its word in the legend."""

    path: str
    kind: str
    word: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot and all that is said of it; `label` is the whole of it in a sentence.

    `is_empty` where no number is known: then there is nothing to draw.
    """

    title: str
    label: str
    peak: str
    axis: tuple[str, ...]
    table: Table
    note: str = ""
    area: str = ""
    lines: tuple[Stroke, ...] = ()
    bars: tuple[Rect, ...] = ()
    legend: tuple[Stroke, ...] = ()
    is_empty: bool = False
    grid: str = GRID


def lines(
    title: str,
    series: Sequence[Series],
    over: Over,
    *,
    say: Say = plain,
    note: str = "",
    has_area: bool = True,
) -> Chart:
    """Returns one line with the area below it, or two: the second is dashed."""
    known = [v for s in series for v in s.values if v is not None]
    top = _ceiling(max(known, default=0.0))
    kinds = ("curve", "curve second")
    drawn = tuple(
        Stroke(_curve(s.values, top), kind, s.word) for s, kind in zip(series, kinds, strict=False)
    )
    return Chart(
        title=title,
        label=line_label(title, series, over, say),
        peak=say(top),
        axis=(over.at(0), over.at(0.5), over.at(1)),
        table=line_table(series, over, say),
        note=note,
        area=_area(series[0].values, top) if has_area else "",
        lines=drawn,
        legend=drawn if len(drawn) > 1 else (),
        is_empty=not known,
    )


def columns(
    title: str,
    values: Sequence[float],
    over: Over,
    *,
    each: str = "min",
    say: Say = plain,
    limit: Limit | None = None,
) -> Chart:
    """Returns a column for each value, beside the limit that they are to be compared with."""
    most = max(values, default=0.0)
    above = limit is not None and limit.value >= most > 0
    top = limit.value if limit is not None and above else _ceiling(most)
    drawn = () if limit is None or limit.value > top else (_limit(limit, top),)
    return Chart(
        title=title,
        label=column_label(title, values, over, say, limit),
        peak=f"{say(top)} / {each}",
        axis=("now", over.at(0.5), over.at(1)),
        table=column_table(values, over, say),
        lines=drawn,
        bars=_bars(values, top),
        legend=drawn,
        is_empty=not values,
    )


def phases(
    rows: Sequence[Sequence[tuple[str, float]]], *, width: float = PHASES_WIDTH
) -> list[tuple[Rect, ...]]:
    """Returns each row's lengths, by kind, one after the other, all rows on one common scale.

    What took any time at all is as wide as can be seen.
    """
    longest = max((sum(length for _, length in row) for row in rows), default=0.0)
    least = LEAST_WIDTH * max((len(row) for row in rows), default=0)
    scale = (width - least) / longest if longest else 0.0
    return [_phases(row, scale) for row in rows]


def share(part: float, whole: float) -> str:
    """Returns a part as the percentage at which it stands in an SVG: within 0 % and 100 %."""
    held = min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
    return f"{held * 100:.1f}%"


def _phases(row: Sequence[tuple[str, float]], scale: float) -> tuple[Rect, ...]:
    x, found = 0.0, []
    for kind, length in row:
        width = LEAST_WIDTH + length * scale if length > 0 else 0.0
        found.append(Rect(f"{x:.1f}", "0", f"{width:.1f}", "8", kind))
        x += width
    return tuple(found)


def _ceiling(most: float) -> float:
    """Returns the upper end of a scale: a little above the highest value, in two digits."""
    if most <= 0:
        return 1.0
    size = 10.0 ** (math.floor(math.log10(most * 1.05)) - 1)
    return math.ceil(most * 1.05 / size - 1e-9) * size


def _y(value: float, top: float) -> float:
    return HEIGHT - (HEIGHT - TOP) * min(value, top) / top


def _runs(values: Values) -> list[list[tuple[int, float]]]:
    """Returns the stretches without a gap, each value with its place."""
    placed = [(place, value) for place, value in enumerate(values)]
    stretches = groupby(placed, key=lambda one: one[1] is not None)
    return [[(p, v) for p, v in run if v is not None] for is_known, run in stretches if is_known]


def _points(run: list[tuple[int, float]], step: float, top: float) -> list[tuple[float, float]]:
    """Returns a stretch as points; one that stands alone is as wide as half the way to each side."""
    found = [(place * step, _y(value, top)) for place, value in run]
    if len(found) > 1:
        return found
    (x, y), half = found[0], step / 2
    return [(max(0.0, x - half), y), (min(WIDTH, x + half), y)]


def _paths(values: Values, top: float) -> list[list[tuple[float, float]]]:
    step = WIDTH / (len(values) - 1) if len(values) > 1 else WIDTH
    return [_points(run, step, top) for run in _runs(values)]


def _written(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _curve(values: Values, top: float) -> str:
    return "".join(_written(points) for points in _paths(values, top))


def _area(values: Values, top: float) -> str:
    return "".join(
        f"{_written(p)}L{p[-1][0]:.1f} {HEIGHT:g}L{p[0][0]:.1f} {HEIGHT:g}Z"
        for p in _paths(values, top)
    )


def _limit(limit: Limit, top: float) -> Stroke:
    return Stroke(f"M0 {_y(limit.value, top):.1f}H{WIDTH:g}", "limit", limit.word)


def _bars(values: Sequence[float], top: float) -> tuple[Rect, ...]:
    step = WIDTH / max(len(values), 1)
    return tuple(
        Rect(
            f"{place * step + step * 0.1:.1f}",
            f"{_y(value, top):.1f}",
            f"{step * 0.8:.1f}",
            f"{HEIGHT - _y(value, top):.1f}",
        )
        for place, value in enumerate(values)
    )
