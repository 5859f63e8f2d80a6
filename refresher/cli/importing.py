"""`refresher connections import`: from JSON Lines to scheduled connections.

Reading lines: `import_lines.py`; what goes together: `import_run.py`; what was rejected: `rejects.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from refresher.cli import opening
from refresher.cli.import_lines import Line, lines
from refresher.cli.import_run import Counts, ImportRun
from refresher.cli.output import Json, emit, examples, note, span
from refresher.cli.reasons import apps_set, mend
from refresher.cli.refusal import WrongUse
from refresher.cli.rejects import Rejects, rejects_path
from refresher.connections.oauth_apps import sync_apps
from refresher.rules.connection import ParkReason
from refresher.runtime.services import Services
from refresher.store import gauges, inspection

STDIN = "-"
MOST_SHOWN = 20
WORTH_TELLING = ("app_not_configured", "unknown_provider", "nothing_to_refresh_with", "no_expiry")


def register(group: typer.Typer) -> None:
    """Adds `import`."""
    epilog = examples(
        "refresher connections import connections.jsonl",
        "psql -AtXc 'select row_to_json(c) from …' | refresher connections import - --json",
        '{"organization_id": "org1", "provider": "google", "external_id": "1", '
        '"access_token": "…", "refresh_token": "…", "expires_in": 3599}',
    )
    group.command("import", epilog=epilog)(import_)


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON Lines, or - for stdin.")],
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rejected lines go.", show_default="FILE.rejects.jsonl"),
    ] = None,
    from_line: Annotated[int, typer.Option(min=1, help="Begin with this line.")] = 1,
    json: Json = False,
) -> None:
    """Import connections, one JSON object a line; the exit code is 1 when a line was rejected.

    Importing a connection again with tokens is a reconnect: they replace the stored ones. So never
    import an old export over connections that refresher has kept fresh since. Without tokens it is an
    update. Bad lines are told by number and kept, with the reason, in the rejects file, which holds
    tokens and is only for its owner.
    """
    source = None if file == STDIN else Path(file)
    started = time.monotonic()
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(source))
        kept = Rejects(rejects_path(rejects, source), append=from_line > 1)
        services = stack.enter_context(opening.services())
        stack.callback(kept.close)
        _store_apps(services)
        counts = _run(services, stream, kept, source, from_line)
        _summarize(services, counts, kept, time.monotonic() - started, json=json)
    if counts.rejected:
        raise typer.Exit(1)


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


def _run(
    services: Services, stream: BinaryIO, kept: Rejects, source: Path | None, from_line: int
) -> Counts:
    def reject(line: Line, reason: str) -> None:
        kept.add(line, reason)
        if kept.count <= MOST_SHOWN:
            note(f"line {line.number}: {reason}")

    run = ImportRun(services, reject, opening.actor())
    wanted = (line for line in lines(stream) if line.number >= from_line)
    with _progress(source) as moved:
        try:
            for counts in run.run(wanted):
                moved(stream, counts)
        except BaseException:
            _tell_interrupted(run)
            raise
    return run.counts


def _tell_interrupted(run: ImportRun) -> None:
    run.abandon()
    if run.counts.stored_to:
        stored = run.counts.stored_to
        note(f"Lines up to {stored} are dealt with; go on with --from-line {stored + 1}.")


@contextmanager
def _progress(source: Path | None) -> Iterator[Callable[[BinaryIO, Counts], None]]:
    """Shows a bar on stderr, if that is a terminal; a count where the size is not known."""
    if not sys.stderr.isatty():
        yield lambda _stream, _counts: None
        return

    size = source.stat().st_size if source is not None and source.is_file() else None
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=size)

        def moved(stream: BinaryIO, counts: Counts) -> None:
            done = stream.tell() if size is not None else 0
            text = f"{counts.read:,} read, {counts.rejected:,} rejected"
            bar.update(task, completed=done, description=text)

        yield moved


def _summarize(
    services: Services, counts: Counts, kept: Rejects, seconds: float, *, json: bool
) -> None:
    if json:
        emit(
            {
                "read": counts.read,
                "created": counts.created,
                "reconnected": counts.reconnected,
                "updated": counts.updated,
                "rejected": counts.rejected,
                "seconds": round(seconds, 3),
            }
        )
    else:
        updated = f"{counts.updated:,} updated, " if counts.updated else ""
        typer.echo(
            f"{counts.read:,} read in {span(seconds)}: {counts.created:,} created, "
            f"{counts.reconnected:,} reconnected, {updated}"
            f"{counts.rejected:,} rejected."
        )
    if kept.count > MOST_SHOWN:
        note(f"… and {kept.count - MOST_SHOWN:,} more lines were rejected.")
    if kept.count:
        note(f"Rejected lines and their reasons are in {kept.path} (it holds tokens; mode 0600).")
    _tell_parked(services)


def _tell_parked(services: Services) -> None:
    with services.database.transaction() as db:
        parked = gauges.schedule(db).parked
        missing = inspection.parked_for(db, ParkReason.APP_NOT_CONFIGURED)
    for reason in WORTH_TELLING:
        if parked.get(reason) and (reason != ParkReason.APP_NOT_CONFIGURED or not missing):
            note(f"Parked now, {reason}: {parked[reason]:,}; {mend(reason)}.")
    for provider, app, count in missing:
        note(
            f"Parked now, because the app {provider}/{app} is not stored: {count:,}; "
            f"{apps_set(provider, app)}, and they resume by themselves."
        )
