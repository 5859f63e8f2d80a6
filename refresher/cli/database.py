"""`refresher migrate | restore-check`: the database's tables, and whether it is a restored backup."""

from __future__ import annotations

from typing import Annotated

import typer

from refresher.cli import partitions, session
from refresher.cli.output import Json, WrongUse, command, done, emit, note
from refresher.runtime.restored import RestoreGuard
from refresher.settings import load
from refresher.store import repartition
from refresher.store.migrate import upgrade
from refresher.store.spool import Spool

QUESTION = (
    "Every stored refresh token that was rotated since the backup will be presented again. "
    "Have you followed docs/backup.md, and refresh from this database now?"
)

app = typer.Typer()


@command(
    app,
    "refresher migrate",
    "refresher migrate --partitions 16 --dry-run",
    "refresher migrate --partitions 16 --yes",
)
def migrate(
    number: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            help="Then store connections in so many partitions; 1 puts them into one table again.",
            min=1,
            max=repartition.MOST,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Of --partitions: only tell sizes, disk and time.")
    ] = False,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Create the tables, or bring them up to date.

    Safe to run at every deploy and from several places at once: they take turns, and who finds
    nothing to do does nothing.

    With --partitions the tables of connections and their schedule are copied, while schedulers and
    workers are stopped. It is one transaction: ended in between, everything is as before.
    docs/scaling.md says when it is worth it.
    """
    settings = load()
    if dry_run:
        if number is None:
            raise WrongUse("--dry-run is for --partitions: name how many there should be")
        return partitions.tell(settings, number, json=json)
    before, after = upgrade(settings.database, settings.database_schema)
    if number is not None:
        return partitions.change(settings, number, yes=yes, json=json)
    if before == after:
        sentence = f"The database is at migration {after} already; there was nothing to do."
    else:
        sentence = f"The database was {_was(before)}, and is at migration {after} now."
    done({"before": before, "after": after, "changed": before != after}, sentence, json=json)
    return None


def _was(before: str | None) -> str:
    return f"at migration {before}" if before else "without tables"


@command(
    app,
    "refresher restore-check",
    "refresher restore-check --json",
    "refresher restore-check --confirm --yes",
    name="restore-check",
)
def restore_check(
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Take it for the true one: refresh from it again.")
    ] = False,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Tell whether the database is older than what schedulers saw of it: a restored backup.

    On an older one nothing is refreshed: its refresh tokens may be spent, and presenting one again ends
    a grant that rotates. docs/backup.md says what to do first. The exit code is 1 while that is so.
    """
    settings = load()
    with session.database(settings) as database:
        guard = RestoreGuard(database, Spool(settings))
        seen = guard.look()
        if seen.is_older and confirm:
            session.confirm(QUESTION, to="go on from a backup", yes=yes)
            seen = guard.confirm()
    if json:
        emit({"older": seen.is_older, "newest_event": seen.now, "newest_event_seen": seen.noted})
    elif seen.is_older:
        note(f"refresher: {seen.sentence}")
    else:
        typer.echo("The database is as new as what was seen of it: it may work.")
    if seen.is_older:
        raise typer.Exit(1)
