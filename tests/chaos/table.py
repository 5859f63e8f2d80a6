"""Shows what came of the faults: for a terminal, for docs/reliability.md, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from tests.chaos.row import Row

HEADINGS = (
    "fault",
    "times",
    "refreshes",
    "lost",
    "double-spent",
    "parked wrongly",
    "recovery p50 / max",
    "",
)


def cells(row: Row) -> list[str]:
    """Returns a line's cells, in the order of the headings."""
    lost = f"{row.lost} + {row.told} told" if row.told else f"{row.lost}"
    return [
        row.fault,
        f"{row.times:,}",
        f"{row.refreshes:,}",
        lost,
        f"{row.double_spent}",
        f"{row.parked_wrongly}",
        _recovery(row),
        "; ".join((*row.broken, row.note) if row.note else row.broken),
    ]


def as_rich(rows: Sequence[Row]) -> Table:
    """Returns the table for a terminal; a line that breaks its promise is red."""
    table = Table(title="What came of it", title_justify="left", title_style="bold")
    for n, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 0 < n < len(HEADINGS) - 1 else "left")
    for row in rows:
        table.add_row(*cells(row), style="bold red" if row.broken else "")
    return table


def as_markdown(rows: Sequence[Row]) -> str:
    """Returns the table in Markdown."""
    rule = ["---", *["---:"] * (len(HEADINGS) - 2), "---"]
    lines = [list(HEADINGS), rule, *[cells(row) for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_into(file: Path, name: str, text: str) -> None:
    """Replaces what stands between the markers of a Markdown file's table of that name."""
    begin, end = (f"<!-- {name} table: {which} -->" for which in ("begin", "end"))
    before, _, rest = file.read_text(encoding="utf-8").partition(begin)
    _, marker, after = rest.partition(end)
    if not marker:
        raise SystemExit(f"{file} lacks the lines {begin} and {end}: add them where the table goes")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _recovery(row: Row) -> str:
    if row.recovery_p50 is None or row.recovery_max is None:
        return "–"
    return f"{row.recovery_p50:.1f} s / {row.recovery_max:.1f} s"
