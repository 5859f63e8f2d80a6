"""`refresher restore-check`: whether the database is a restored backup, and that it may work."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from refresher.cli import opening
from refresher.cli.output import Json, emit, examples, note
from refresher.cli.refusal import WrongUse
from refresher.runtime.restored import RestoreGuard
from refresher.store.spool import Spool


def register(app: typer.Typer) -> None:
    """Adds `restore-check`."""
    epilog = examples(
        "refresher restore-check",
        "refresher restore-check --json",
        "refresher restore-check --confirm --yes",
    )
    app.command("restore-check", epilog=epilog)(restore_check)


def restore_check(
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Take it for the true one: refresh from it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Tell whether the database is older than what schedulers saw of it: a restored backup.

    On an older one nothing is refreshed: its refresh tokens may be spent, and presenting one again ends
    a grant that rotates. docs/backup.md says what to do first. The exit code is 1 while that is so.
    """
    settings = opening.read_settings()
    with opening.database(settings) as database:
        guard = RestoreGuard(database, Spool(settings))
        seen = guard.look()
        if seen.is_older and confirm:
            _ask(yes=yes)
            seen = guard.confirm()
    if json:
        emit({"older": seen.is_older, "newest_event": seen.now, "newest_event_seen": seen.noted})
    elif seen.is_older:
        note(f"refresher: {seen.sentence}")
    else:
        typer.echo("The database is as new as what was seen of it: it may work.")
    if seen.is_older:
        raise typer.Exit(1)


def _ask(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse("there is no terminal to ask on whether to go on from a backup: give --yes")
    note("Every stored refresh token that was rotated since the backup will be presented again.")
    typer.confirm(
        "Have you followed docs/backup.md, and refresh from this database now?", abort=True
    )
