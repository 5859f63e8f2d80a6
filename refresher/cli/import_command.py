"""`refresher connections import`: from JSON Lines to scheduled connections.

Reading lines, and what of them is stored together: `import_run.py`.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from refresher.cli import session
from refresher.cli.import_run import Counts, ImportLine, ImportRun, lines
from refresher.cli.output import Json, WrongUse, command, done, note
from refresher.connections.oauth_apps import sync_apps
from refresher.rules.connection import ParkReason
from refresher.rules.reasons import apps_set, mend
from refresher.rules.words import span
from refresher.runtime.services import Services
from refresher.store import gauges, inspection

STDIN = "-"
MOST_SHOWN = 20
WORTH_TELLING = ("app_not_configured", "unknown_provider", "nothing_to_refresh_with", "no_expiry")
SUFFIX = ".rejects.jsonl"
FROM_STDIN = "stdin"

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
        services = stack.enter_context(session.services())
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
    def reject(line: ImportLine, reason: str) -> None:
        kept.add(line, reason)
        if kept.count <= MOST_SHOWN:
            note(f"line {line.number}: {reason}")

    run = ImportRun(services, reject, session.actor())
    wanted = (line for line in lines(stream) if line.number >= from_line)
    size = _size(source)
    with session.progress(lambda: size) as moved:
        try:
            for counts in run.run(wanted):
                at = stream.tell() if size is not None else 0
                moved(at, f"{counts.read:,} read, {counts.rejected:,} rejected")
        except BaseException:
            _tell_interrupted(run)
            raise
    return run.counts


def _tell_interrupted(run: ImportRun) -> None:
    run.abandon()
    if run.counts.stored_to:
        stored = run.counts.stored_to
        note(f"Lines up to {stored} are dealt with; go on with --from-line {stored + 1}.")


def _size(source: Path | None) -> int | None:
    return source.stat().st_size if source is not None and source.is_file() else None


def _summarize(
    services: Services, counts: Counts, kept: Rejects, seconds: float, *, json: bool
) -> None:
    told = {
        "read": counts.read,
        "created": counts.created,
        "reconnected": counts.reconnected,
        "updated": counts.updated,
        "rejected": counts.rejected,
        "seconds": round(seconds, 3),
    }
    updated = f"{counts.updated:,} updated, " if counts.updated else ""
    sentence = (
        f"{counts.read:,} read in {span(seconds)}: {counts.created:,} created, "
        f"{counts.reconnected:,} reconnected, {updated}{counts.rejected:,} rejected."
    )
    done(told, sentence, json=json)
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


class Rejects:
    """The rejects file of one import; it comes into being with the first reject.

    One JSON object a line: `line`, `reason`, and the original as `input`; or as `input_base64` where
    it is not UTF-8; `cut` where only the beginning of an endless line is kept.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self._append = append
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, line: ImportLine, reason: str) -> None:
        """Writes one rejected line."""
        if self._file is None:
            self._file = self._open()
        self.count += 1
        self._file.write(orjson.dumps(_entry(line, reason)) + b"\n")

    def close(self) -> None:
        """Ends the file. The one of an earlier import is removed when this had nothing to reject."""
        if self._file is not None:
            self._file.close()
        elif self.path.name.endswith(SUFFIX) and not self._append:
            self.path.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        how = os.O_APPEND if self._append else os.O_TRUNC
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | how, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)  # it holds tokens, also when it was there before
        return os.fdopen(descriptor, "wb")


def rejects_path(given: Path | None, source: Path | None) -> Path:
    """Returns where rejects go: the path given, else beside the source; refuses what cannot be."""
    path = given or Path(f"{source or FROM_STDIN}{SUFFIX}")
    if source is not None and path.exists() and path.samefile(source):
        raise WrongUse(f"--rejects names {path}, which is the file to import")
    if path.is_dir():
        raise WrongUse(f"--rejects names {path}, which is a directory")
    wanted = path if path.exists() else path.parent
    if not os.access(wanted, os.W_OK):
        raise WrongUse(
            f"{wanted} cannot be written to: name a rejects file elsewhere with --rejects"
        )
    return path


def _entry(line: ImportLine, reason: str) -> dict[str, object]:
    entry: dict[str, object] = {"line": line.number, "reason": reason}
    try:
        entry["input"] = line.raw.decode()
    except UnicodeDecodeError:
        entry["input_base64"] = b64encode(line.raw).decode()
    return entry | ({"cut": True} if line.cut else {})
