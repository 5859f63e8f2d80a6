"""What commands print: JSON or tables on stdout, everything else on stderr.

Values that came from outside (names, a provider's error codes) are shown without control characters
and never read as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

CONTEXT = {"help_option_names": ["-h", "--help"]}
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
WIDE = 240
"""The width of tables that no terminal shows: whoever greps them wants whole lines."""
ROOMY = 130
SHORT = 14

_STYLES = {
    "ok": "green", "idle": "green", "refreshed": "green", "adopted": "green", "warn": "yellow",
    "leased": "cyan", "parked": "yellow", "fail": "bold red", "revoked": "red",
}  # fmt: skip


def examples(*lines: str) -> str:
    """Returns the closing part of a command's help: commands to copy."""
    return "Examples:\n\n" + "\n\n".join(f"`{line}`" for line in lines)


def note(sentence: str) -> None:
    """Prints for people, on stderr."""
    typer.echo(plain(sentence, keep="\n"), err=True)


def emit(value: object) -> None:
    """Prints one JSON document on a line of its own."""
    import orjson

    typer.echo(orjson.dumps(value, default=_as_json))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows under headings. The first column is never cut, nor are columns of short values."""
    from rich import box
    from rich.table import Table

    cells = [[cell(value) for value in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for position, column in enumerate(columns):
        longest = max((len(row[position]) for row in cells), default=0)
        whole = position == 0 or longest <= SHORT
        made.add_column(column, no_wrap=whole, overflow="fold")
    for row in cells:
        made.add_row(*row)
    _print(made)


def facts(pairs: Mapping[str, object]) -> None:
    """Prints names and values below each other."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        made.add_row(name, cell(value))
    _print(made)


def is_narrow() -> bool:
    """Whether stdout is a terminal on which whole ids would leave no room for anything else."""
    return sys.stdout.isatty() and get_terminal_size().columns < ROOMY


def cell(value: object) -> Text:
    """Returns a value as it is shown: nothing for None, instants in words, words in their colour."""
    from rich.text import Text

    shown = instant(value) if isinstance(value, datetime) else plain(value)
    return Text(shown, style=_STYLES.get(shown, ""))


def plain(value: object, *, keep: str = "") -> str:
    """Returns a value as text without control characters: a terminal obeys those."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return "".join(
        c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(value)
    )


def instant(at: datetime) -> str:
    """Returns when something is, as an hour of UTC and as a distance: `12:00:05Z (in 3 min)`."""
    day = "" if at.date() == datetime.now(UTC).date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M:%S}Z ({distance(at)})"


def distance(at: datetime) -> str:
    """Returns how far off something is: `in 3 min`, `2 days ago`."""
    left = (at - datetime.now(UTC)).total_seconds()
    return f"in {span(left)}" if left >= 0 else f"{span(-left)} ago"


def span(seconds: float) -> str:
    """Returns a length of time in its largest unit: 45 s, 12 min, 3.5 h, 60 days."""
    for size, unit in ((86_400 * 2, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{_rounded(seconds / (size / 2))} {unit}"
    return f"{_rounded(seconds)} s"


def _rounded(number: float) -> str:
    return f"{number:.2g}" if number < 10 else f"{number:.0f}"


def _print(renderable: object) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    if console.is_terminal:
        console.print(renderable)
        return
    console = Console(file=sys.stdout, highlight=False, width=WIDE)
    with console.capture() as captured:
        console.print(renderable)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def _as_json(value: object) -> object:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
