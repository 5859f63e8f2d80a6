"""How rows of values are laid out in a width: as a table that breaks no word, or as records.

Pure: texts in, lines or Rich's table out. A command between backticks counts as one word: who copies it
needs it whole. Where a table is too wide, the columns that its command calls
spare go first; where what is left has no room either, each row is written as a record, one name and
value below the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich import box
from rich.table import Table
from rich.text import Text

GAP = 2
SHORT = 14
"""Columns of so short values, and the first one, are never wrapped."""
READABLE = 28
"""No sentence is squeezed into fewer characters than this."""
_GLUE = "\N{NO-BREAK SPACE}"
_COMMAND = re.compile(r"`[^`]+`")
_MEASURE = re.compile(r"(?<=\d) (?=(?:ms|s|min|h|days)\b)")
"""What stands between a number and its unit."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns are shown, by position, each with its width; `as_records` for rows one by one."""

    widths: dict[int, int]
    as_records: bool = False


def layout(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, spare: Sequence[str] = ()
) -> Layout:
    """Returns how to show `rows` in `width` characters; `spare` names the columns that go first."""
    positions = [n for n in range(len(columns)) if columns[n] or _longest(rows, n)]
    gone = {columns.index(name) for name in spare if name in columns}
    for name in ("", *spare):
        positions = [n for n in positions if not name or columns[n] != name]
        natural = {n: max(len(columns[n]), _longest(rows, n)) for n in positions}
        if _whole(natural.values()) <= width:
            return Layout(natural)
    fitted = _squeezed(columns, rows, width, natural)
    if fitted is not None:
        return Layout(fitted)
    everything = {n: 0 for n in range(len(columns)) if n in natural or n in gone}
    return Layout(everything, as_records=True)


def _squeezed(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, natural: dict[int, int]
) -> dict[int, int] | None:
    """Returns widths with wrapped sentences, None where a word or a sentence would not fit."""
    least = {
        n: natural[n]
        if n == min(natural) or natural[n] <= SHORT
        else max(len(columns[n]), _longest_word(rows, n), min(natural[n], READABLE))
        for n in natural
    }
    room = width - _whole(least.values())
    if room < 0:
        return None
    for n in sorted(natural, key=lambda n: natural[n] - least[n]):
        more = min(room, natural[n] - least[n])
        least[n] += more
        room -= more
    return least


def as_table(columns: Sequence[str], cells: Sequence[Sequence[Text]], shown: Layout) -> Table:
    """Returns Rich's table of these columns."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for position, width in shown.widths.items():
        made.add_column(columns[position], width=width, overflow="fold")
    for row in cells:
        made.add_row(*(_wrapped(row[position], width) for position, width in shown.widths.items()))
    return made


def record(names: Sequence[str], cells: Sequence[Text], width: int) -> Text:
    """Returns names and values below each other, those without a value left away.

    A value goes on below its beginning, broken between words only: one word (or command) that is longer
    than the line stays whole, so that it can be copied.
    """
    pairs = [(name, cell) for name, cell in zip(names, cells, strict=True) if cell.plain]
    margin = max((len(name) for name, _ in pairs), default=0) + GAP
    lines: list[Text] = []
    for name, cell in pairs:
        first = True
        for part in _broken(cell.plain, max(width - margin, READABLE)):
            label = (name if first else "").ljust(margin)
            lines.append(Text.assemble((label, "bold"), (part, cell.style)))
            first = False
    return Text("\n").join(lines)


def _wrapped(cell: Text, width: int) -> Text:
    return Text("\n".join(_broken(cell.plain, width)), style=cell.style)


def _broken(text: str, width: int) -> list[str]:
    lines = wrap(_glued(text), width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_GLUE, " ") for line in lines] or [""]


def _glued(text: str) -> str:
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), text)
    return _MEASURE.sub(_GLUE, whole)


def _longest(rows: Sequence[Sequence[str]], position: int) -> int:
    return max((len(row[position]) for row in rows), default=0)


def _longest_word(rows: Sequence[Sequence[str]], position: int) -> int:
    return max((len(word) for row in rows for word in _glued(row[position]).split(" ")), default=0)


def _whole(widths: Collection[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)
