"""`refresher migrate`: brings the database to the schema that this version knows."""

from __future__ import annotations

import typer

from refresher.cli.opening import read_settings
from refresher.cli.output import Json, emit, examples
from refresher.store.migrate import upgrade


def register(app: typer.Typer) -> None:
    """Adds `migrate`."""
    app.command("migrate", epilog=examples("refresher migrate"))(migrate)


def migrate(json: Json = False) -> None:
    """Create the tables, or bring them up to date.

    Safe to run at every deploy and from several places at once: they take turns, and who finds
    nothing to do does nothing.
    """
    settings = read_settings()
    before, after = upgrade(settings.database, settings.database_schema)
    if json:
        emit({"before": before, "after": after, "changed": before != after})
    elif before == after:
        typer.echo(f"The database is at migration {after} already; there was nothing to do.")
    else:
        typer.echo(f"The database was {_was(before)}, and is at migration {after} now.")


def _was(before: str | None) -> str:
    return f"at migration {before}" if before else "without tables"
