"""`refresher connections import`: from JSON Lines to scheduled connections.

Reading lines, and what of them is stored together: `import_run.py`. What is told: `import_report.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from refresher.cli import import_report, session
from refresher.cli.import_rejects import MOST_SHOWN, Rejects, rejects_path
from refresher.cli.import_report import Refused
from refresher.cli.import_run import Counts, ImportLine, ImportRun, lines, understood
from refresher.cli.output import Json, WrongUse, command, note
from refresher.connections.oauth_apps import sync_apps
from refresher.connections.registration import take
from refresher.connections.rehearsal import Outlook, rehearse
from refresher.runtime.services import Services

STDIN = "-"

app = typer.Typer()


@command(
    app,
    "refresher connections import connections.jsonl",
    "psql -AtXc 'select row_to_json(c) from …' | refresher connections import - --json",
    (
        '{"organization_id": "org1", "provider": "google", "external_id": "1", '
        '"access_token": "…", "refresh_token": "…", "expires_in": 3599}'
    ),
    name="import",
)
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON Lines, or - for stdin.")],
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rejected lines go.", show_default="FILE.rejects.jsonl"),
    ] = None,
    from_line: Annotated[int, typer.Option(min=1, help="Begin with this line.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read all, store nothing, say what would come of it.")
    ] = False,
    json: Json = False,
) -> None:
    """Import connections, one JSON object a line; the exit code is 1 when a line was rejected.

    Importing a connection again with tokens is a reconnect: they replace the stored ones. So never
    import an old export over connections that refresher has kept fresh since. Without tokens it is an
    update. Bad lines are told by number and kept, with the reason, in the rejects file, which holds
    tokens and is only for its owner. A dry run keeps none: it groups them by reason.
    """
    source = None if file == STDIN else Path(file)
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(source))
        wanted = Wanted(source, stream, from_line)
        if dry_run:
            services = stack.enter_context(session.services())
            counts = _rehearse(services, wanted, json=json)
        else:
            kept = Rejects(rejects_path(rejects, source), append=from_line > 1)
            services = stack.enter_context(session.services())
            stack.callback(kept.close)
            counts = _import(services, wanted, kept, json=json)
    if counts.rejected:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read, and from where on."""

    source: Path | None
    stream: BinaryIO
    from_line: int

    @property
    def size(self) -> int | None:
        """Its bytes, where somebody can know them."""
        file = self.source
        return file.stat().st_size if file is not None and file.is_file() else None


def _import(services: Services, wanted: Wanted, kept: Rejects, *, json: bool) -> Counts:
    started, by = time.monotonic(), session.actor()
    _store_apps(services)

    def reject(line: ImportLine, reason: str) -> None:
        kept.add(line, reason)
        if kept.count <= MOST_SHOWN:
            note(f"line {line.number}: {reason}")

    run = ImportRun(reject, lambda chunk: take(services, chunk, by), understood)
    try:
        _run(run, wanted)
    except BaseException:
        _tell_interrupted(run)
        raise
    import_report.summarize(services, run.counts, kept, time.monotonic() - started, json=json)
    return run.counts


def _rehearse(services: Services, wanted: Wanted, *, json: bool) -> Counts:
    started, refused, outlook = time.monotonic(), Refused(), Outlook()
    run = ImportRun(refused.add, lambda c: rehearse(services, c, outlook), understood)
    _run(run, wanted)
    import_report.rehearsed(run.counts, refused, outlook, time.monotonic() - started, json=json)
    return run.counts


@contextmanager
def _opened(source: Path | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        raise WrongUse(f"{source} does not exist") from None
    except IsADirectoryError:
        raise WrongUse(f"{source} is a directory, not a file of JSON Lines") from None
    except OSError as error:
        raise WrongUse(f"{source} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def _store_apps(services: Services) -> None:
    for app in sync_apps(services):
        note(f"Stored the app {app} of the providers file.")


def _run(run: ImportRun, wanted: Wanted) -> None:
    found = (line for line in lines(wanted.stream) if line.number >= wanted.from_line)
    size = wanted.size
    with session.progress(lambda: size) as moved:
        for counts in run.run(found):
            at = wanted.stream.tell() if size is not None else 0
            moved(at, f"{counts.read:,} read, {counts.rejected:,} rejected")


def _tell_interrupted(run: ImportRun) -> None:
    run.abandon()
    if run.counts.stored_to:
        stored = run.counts.stored_to
        note(f"Lines up to {stored} are dealt with; go on with --from-line {stored + 1}.")
