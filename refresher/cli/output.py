"""What commands print: JSON, tables and what was done on stdout, everything else on stderr.

Values that came from outside (names, a provider's error codes) are shown without control characters
and never read as markup.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import Annotated, TypeVar

import orjson
import typer
from rich.console import Console, RenderableType
from rich.text import Text

from refresher.cli import tables
from refresher.errors import RefresherError
from refresher.rules import words
from refresher.rules.words import number, span

CONTEXT = {"help_option_names": ["-h", "--help"]}
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
WIDE = 240
"""The width of tables that no terminal shows: whoever greps them wants whole lines."""
ROOMY = 130
SHOWN = {"idle": "scheduled"}
"""States of a row that people read under another name than programs do."""
NAMED = {"attempt": "failures", "lease_token": "attempt"}
"""Fields that people read under another name: an attempt is known by the number of its lease."""

STYLES = {
    "ok": "green", "fresh": "green", "scheduled": "green", "refreshed": "green", "adopted": "green",
    "leased": "cyan", "refreshing": "cyan", "warn": "yellow", "late": "yellow", "parked": "yellow",
    "retrying": "yellow", "waiting": "yellow", "paused": "yellow", "transient": "yellow",
    "rate_limited": "yellow", "malformed": "yellow", "unreadable": "red",
    "disabled": "dim", "deleted": "dim", "connecting": "dim", "fail": "bold red",
    "expired": "bold red", "reconnect_required": "bold red", "blocked": "bold red",
    "misconfigured": "bold red", "revoked": "red",
}  # fmt: skip
TONES = {"good": "green", "warn": "yellow", "bad": "bold red", "still": "dim", "plain": ""}
"""How the tones of the dashboard look in a terminal; each stands beside a word that says the same."""
_WORD = re.compile(r"(\w+)(?: \(\d+\)|: \w+)?")
"""A word that may have a colour, with its count or its reason."""

T = TypeVar("T")


class CannotDo(RefresherError):
    """The command cannot do this; nothing was changed. The message is the sentence that is printed."""


class WrongUse(RefresherError):
    """The arguments do not go together, or name something that cannot be read."""

    exit_code = 2


def command(
    group: typer.Typer, *lines: str, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a command to a group, under its function's name or another; `lines` are its examples."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        told = inspect.getdoc(function) or ""
        # A terminal breaks lines where it ends, not where the source does.
        help_ = "\n\n".join(" ".join(part.split()) for part in told.split("\n\n"))
        return group.command(name, help=help_, epilog=examples(*lines))(function)

    return add


def examples(*lines: str) -> str:
    """Returns the closing part of a command's help: commands to copy."""
    return "Examples:\n\n" + "\n\n".join(f"`{line}`" for line in lines)


def note(sentence: str) -> None:
    """Prints for people, on stderr."""
    typer.echo(plain(sentence, keep="\n"), err=True)


def emit(value: object) -> None:
    """Prints one JSON document on a line of its own."""
    typer.echo(orjson.dumps(value, default=_as_json))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, spare: Sequence[str] = ()
) -> None:
    """Prints rows under headings, and breaks no word.

    In a terminal that is too narrow the columns named in `spare` are left away, in their order; if that
    is not enough, each row is written as a record, whole. A row that begins with an empty cell goes on
    with the one before it.
    """
    for one in laid_out(columns, rows, width(), spare=spare):
        show(one)


def laid_out(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    width: int,
    *,
    spare: Sequence[str] = (),
) -> Iterator[RenderableType]:
    """Yields what such a table is made of in a width: Rich's table, or records with lines between."""
    cells = [[cell(value) for value in row] for row in rows]
    plain_cells = [[one.plain for one in row] for row in cells]
    shown = tables.layout(columns, plain_cells, width, spare)
    if not shown.as_records:
        yield tables.as_table(columns, cells, shown)
        return
    for position, row in enumerate(cells):
        if position and row[0].plain:
            yield Text()
        chosen = [row[n] for n in shown.widths]
        names = [columns[n] for n in shown.widths]
        yield tables.record(names, chosen, width)


def listing(
    found: Sequence[T],
    columns: Sequence[str],
    row: Callable[[T], Sequence[object]],
    *,
    json: bool,
    spare: Sequence[str] = (),
    none: str = "",
    described: Callable[[T], object] = lambda one: one,
) -> None:
    """Prints what was found, as JSON line by line or as a table; of nothing, the sentence `none`."""
    if json:
        for one in found:
            emit(described(one))
    elif found or not none:
        table(columns, [row(one) for one in found], spare=spare)
    else:
        note(none)


def done(value: object, sentence: str, *, json: bool) -> None:
    """Prints what was done, as JSON or as a sentence."""
    if json:
        emit(value)
    else:
        typer.echo(sentence)


def facts(pairs: Mapping[str, object]) -> None:
    """Prints names and values below each other."""
    show(as_facts(pairs, width()))


def details(fields: Mapping[str, object]) -> None:
    """Prints the fields of something, named and measured as people read them."""
    facts(as_read(fields))


def as_facts(pairs: Mapping[str, object], width: int) -> Text:
    """Returns names and values below each other, as lines of a width."""
    return tables.record([*pairs], [cell(value) for value in pairs.values()], width)


def as_read(fields: Mapping[str, object]) -> dict[str, object]:
    """Returns the fields of something, named and measured as people read them."""
    return {NAMED.get(k, k).replace("_", " "): seconds_of(k, v) for k, v in fields.items()}


def width() -> int:
    """Returns how many characters a line may have: COLUMNS, or as many as the terminal has."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return get_terminal_size().columns if sys.stdout.isatty() else WIDE


def is_narrow() -> bool:
    """Whether whole ids would leave no room for anything else."""
    return width() < ROOMY


def cell(value: object) -> Text:
    """Returns a value as it is shown: nothing for None, instants in words, words in their colour.

    A text of Rich's is one already.
    """
    if isinstance(value, Text):
        return value
    shown = instant(value) if isinstance(value, datetime) else plain(value)
    word = _WORD.fullmatch(shown)
    return Text(shown, style=STYLES.get(word[1], "") if word else "")


def plain(value: object, *, keep: str = "") -> str:
    """Returns a value as text without control characters: a terminal obeys those."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return "".join(
        c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(value)
    )


def now() -> datetime:
    """Returns the instant that distances are told from."""
    return datetime.now(UTC)


def instant(at: datetime) -> str:
    """Returns when something is, as an hour of UTC and as a distance: `12:00:05Z (in 3 min)`."""
    day = "" if at.date() == now().date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M:%S}Z ({distance(at)})"


def distance(at: datetime | None) -> str:
    """Returns how far off something is: `in 3 min`, `now`, `2 days ago`; nothing for None."""
    return words.distance(at, now())


def seconds_of(name: str, value: object) -> object:
    """Returns a value of a field in seconds with what that is in larger units: `3600 (60 min)`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    shown = number(value)
    return f"{shown} ({span(value)})" if "seconds" in name and value >= 120 else shown


def show(renderable: object) -> None:
    """Prints something of Rich's."""
    console = Console(file=sys.stdout, highlight=False, width=width())
    if console.is_terminal:
        console.print(renderable, soft_wrap=isinstance(renderable, Text))
        return
    with console.capture() as captured:
        console.print(renderable, soft_wrap=isinstance(renderable, Text))
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def _as_json(value: object) -> object:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
