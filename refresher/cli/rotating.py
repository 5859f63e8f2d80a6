"""`refresher encryption rotate` and `status`: which keys sealed what, and sealing it anew."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from refresher.cli.doctor.agreement import running
from refresher.cli.opening import actor, database, read_settings
from refresher.cli.output import Json, emit, many, note, span, table
from refresher.cli.refusal import Refused
from refresher.connections.key_rotation import Rotation
from refresher.connections.key_rotation import rotate as run
from refresher.rules.installation import Agreement, compare
from refresher.runtime.cipher import Cipher
from refresher.runtime.services import cipher_from
from refresher.store import audit
from refresher.store.sealed import SEALED, KeyUse, count_rows, key_uses
from refresher.store.session import Database

MOST_SHOWN = 20
SEALS, OPENS, LOST = "seals", "opens", "missing"


def rotate(
    force: Annotated[
        bool, typer.Option("--force", help="Also to a key with which no running process seals.")
    ] = False,
    json: Json = False,
) -> None:
    """Seal every stored secret with the first key, while everything goes on running.

    Give every process the new key first, in front of the old one, and deploy; then run this; then
    take the old key away. Stop it at any time and run it again. What no key opens is left as it is,
    counted, and told on stderr. Refused while a process that runs seals with another key.
    """
    settings = read_settings()
    cipher = cipher_from(settings)
    started = time.monotonic()
    with database(settings) as opened:
        if not force:
            _refuse_other_keys(opened, cipher)
        done: Rotation | None = None
        with _progress(opened) as moved:
            for done in run(opened, cipher):
                moved(done)
        with opened.transaction() as db:
            audit.note(db, actor(), "encryption_rotated")
            uses = key_uses(db)
    _tell(done, cipher, uses, time.monotonic() - started, json=json)
    if done is not None and not done.complete:
        raise typer.Exit(1)


def _refuse_other_keys(opened: Database, cipher: Cipher) -> None:
    """Refuses a key that a running process does not know, and one that it has put behind another."""
    ours = cipher.key_ids
    for process in running(opened):
        theirs = process.runs_with.keys
        if compare(theirs, ours) is Agreement.SAME:
            continue
        who = f"the {process.role} on {process.host} (process {process.process_id})"
        seals = f"{who} runs with key {theirs[0]}, this terminal with {ours[0]}"
        if ours[0] not in theirs:
            raise Refused(
                f"{seals}, which that does not know: it could open nothing any more. Give every "
                f"process {ours[0]} in front of {theirs[0]} first; --force does it all the same"
            )
        raise Refused(
            f"{seals}: if {ours[0]} is the new one, put it first there too; if it is the old one, "
            f"put {theirs[0]} first here; --force does it all the same"
        )


def status(json: Json = False) -> None:
    """Show how many stored secrets each key has sealed, and whether we hold it.

    A key that no line names is needed by nothing stored, and can be taken away.
    """
    settings = read_settings()
    cipher = cipher_from(settings)
    with database(settings) as opened, opened.transaction() as db:
        uses = key_uses(db)
    if json:
        emit(
            {
                "keys": cipher.key_ids,
                "unneeded": unneeded(cipher, uses),
                "values": _lines(cipher, uses),
            }
        )
        return
    table(
        ["table", "column", "key", "values", "the key"],
        [tuple(line.values()) for line in _lines(cipher, uses)],
    )
    _advise(cipher, uses)


def unneeded(cipher: Cipher, uses: list[KeyUse]) -> list[str]:
    """Returns the ids of the keys behind the first that have sealed nothing that is stored."""
    used = {use.key_id for use in uses}
    return [key for key in cipher.key_ids[1:] if key not in used]


def _lines(cipher: Cipher, uses: list[KeyUse]) -> list[dict[str, object]]:
    def role(key: str) -> str:
        if key == cipher.key_ids[0]:
            return SEALS
        return OPENS if key in cipher.key_ids else LOST

    return [
        {
            "table": use.table,
            "column": use.column,
            "key_id": use.key_id,
            "values": use.values,
            "role": role(use.key_id),
        }
        for use in uses
    ]


def _advise(cipher: Cipher, uses: list[KeyUse]) -> None:
    older = sum(use.values for use in uses if use.key_id in cipher.key_ids[1:])
    lost = sum(use.values for use in uses if use.key_id not in cipher.key_ids)
    if older:
        note(f"With an older key: {older:,}; `refresher encryption rotate` seals them anew.")
    if lost:
        note(f"With a key that is not here: {lost:,}; put it behind the first one.")
    for key in unneeded(cipher, uses):
        note(f"Key {key} is needed by nothing that is stored: take it away everywhere.")


def _tell(
    done: Rotation | None, cipher: Cipher, uses: list[KeyUse], seconds: float, *, json: bool
) -> None:
    broken = done.unopenable if done else {}
    if json:
        emit(
            {
                "resealed": done.resealed if done else 0,
                "passes": done.passes if done else 0,
                "complete": done.complete if done else True,
                "unopenable": [{"table": t, "id": str(i)} for t, i in broken],
                "unneeded": unneeded(cipher, uses),
                "seconds": round(seconds, 3),
            }
        )
    else:
        resealed = done.resealed if done else 0
        rows = many(resealed, "row")
        typer.echo(f"{rows} sealed with key {cipher.key_ids[0]} in {span(seconds)}.")
    for reason in list(broken.values())[:MOST_SHOWN]:
        note(f"Left as it is: {reason}.")
    if len(broken) > MOST_SHOWN:
        note(f"… and {len(broken) - MOST_SHOWN:,} more that no key opens; --json lists them.")
    if done is not None and not done.complete:
        note(
            f"{done.changed_meanwhile:,} rows are being sealed with an older key: give every "
            "process the new key first, then run this again."
        )
    if not json:
        _advise(cipher, uses)


@contextmanager
def _progress(opened: Database) -> Iterator[Callable[[Rotation], None]]:
    """Shows a bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    with opened.transaction() as db:
        total = sum(count_rows(db, one) for one in SEALED)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total or None)

        def moved(done: Rotation) -> None:
            text = f"{done.rows:,} rows of pass {done.passes}, {done.resealed:,} sealed anew"
            bar.update(task, completed=done.rows, description=text)

        yield moved
