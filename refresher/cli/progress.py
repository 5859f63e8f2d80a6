"""A bar on the terminal, for what takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Moved = Callable[[int, str], None]
"""Takes how far something is, and a text."""


@contextmanager
def progress(total: Callable[[], int | None]) -> Iterator[Moved]:
    """Shows a bar on stderr, if that is a terminal; what is yielded says how far it is, and a text."""
    if not sys.stderr.isatty():
        yield lambda _done, _text: None
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total())
        yield lambda done, text: bar.update(task, completed=done, description=text)
