"""What stands around a chart in words: its sentence, its table, its numbers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from statistics import fmean

from refresher.rules.words import span

TABLE_PARTS = 6
LONG_SECONDS = 120.0
MANY = 100
"""From here on a number stands without a digit behind the point."""
Values = Sequence[float | None]
Say = Callable[[float], str]
Fold = Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Table:
    """What a chart shows, as rows of words."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one line, the oldest first; `columns` are its numbers in the table, by heading."""

    word: str
    values: Values
    columns: tuple[tuple[str, Fold], ...]


@dataclass(frozen=True, slots=True)
class Over:
    """Over which time a chart goes, how an instant is written on it, and how the time is called."""

    since: datetime
    until: datetime
    clock: Callable[[datetime], str]
    words: str = "over the last 6 hours"
    table: str = "Hour"

    def at(self, share: float) -> str:
        """Returns the instant at a share of the time, in words."""
        return self.clock(self.since + (self.until - self.since) * share)


def plain(value: float) -> str:
    """Returns a number as it stands on a chart: 0, 0.4, 14.4, 112, 9,400."""
    whole = value >= MANY or value == int(value)
    return f"{value:,.0f}" if whole else f"{value:.1f}"


def seconds(value: float) -> str:
    """Returns a length of time as it stands on a chart: 0.4 s, 14.4 s, 12 min."""
    return f"{plain(value)} s" if value < LONG_SECONDS else span(value)


def mean(values: Sequence[float]) -> float:
    """Returns the mean of some numbers."""
    return fmean(values)


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across the columns: its height, its word in the legend, and its sentence."""

    value: float
    word: str
    sentence: str


def line_label(title: str, series: Sequence[Series], over: Over, say: Say) -> str:
    """Returns a chart of lines in a sentence: ranges, the newest values, and how much is missing."""
    told = [_in_words(one, say, named=len(series) > 1) for one in series]
    return f"{title} {over.words}: {'; '.join(told)}{_gaps(series[0].values, over)}"


def _in_words(one: Series, say: Say, *, named: bool) -> str:
    name = f"{one.word} " if named else ""
    known = [value for value in one.values if value is not None]
    if not known:
        return f"{name}no numbers yet"
    least, most = say(min(known)), say(max(known))
    range_ = f"always {most}" if least == most else f"between {least} and {most}"
    now = one.values[-1]
    return f"{name}{range_}" + ("" if now is None or least == most else f", now {say(now)}")


def _gaps(values: Values, over: Over) -> str:
    missing = sum(value is None for value in values)
    if not missing or missing == len(values):
        return ""
    long = (over.until - over.since).total_seconds() * missing / len(values)
    return f"; no numbers for {span(long)} of it"


def line_table(series: Sequence[Series], over: Over, say: Say) -> Table:
    """Returns what each sixth of the time comes to."""
    folds = [(s.values, head, fold) for s in series for head, fold in s.columns]
    rows = []
    for part in range(TABLE_PARTS):
        cells = [_cell(_part(values, part), fold, say) for values, _, fold in folds]
        rows.append((over.at(part / TABLE_PARTS), *cells))
    return Table((over.table, *map(itemgetter(1), folds)), tuple(rows))


def _part(values: Values, part: int) -> list[float]:
    first, last = (len(values) * p // TABLE_PARTS for p in (part, part + 1))
    return [value for value in values[first:last] if value is not None]


def _cell(values: Sequence[float], fold: Fold, say: Say) -> str:
    return say(fold(values)) if values else "–"


def column_label(
    title: str, values: Sequence[float], over: Over, say: Say, limit: Limit | None
) -> str:
    """Returns columns of a minute each in a sentence: mean, highest and when, and the limit."""
    beside = "" if limit is None else f"; {limit.sentence}"
    if not values:
        return f"{title}: no numbers yet{beside}"
    place = max(range(len(values)), key=values.__getitem__)
    at = over.clock(over.since + timedelta(minutes=place))
    told = f"about {say(fmean(values))}, at most {say(values[place])} at {at}"
    return f"{title}, {over.words}: {told}{beside}"


def column_table(values: Sequence[float], over: Over, say: Say) -> Table:
    """Returns what each sixth of the columns adds up to, and the highest of them."""
    rows = []
    for part in range(TABLE_PARTS):
        within = _part(values, part)
        sums = (_cell(within, sum, say), _cell(within, max, say))
        rows.append((over.at(part / TABLE_PARTS), *sums))
    return Table((over.table, "Due", "Most a minute"), tuple(rows))
