"""`refresher explain`: why a connection is or is not going to be refreshed, in sentences."""

from __future__ import annotations

import typer

from refresher.cli import session
from refresher.cli.arguments import Id, find_root
from refresher.cli.output import Json, command, done, instant, plain
from refresher.insight import explaining
from refresher.runtime.parts import catalogue_from
from refresher.settings import load

app = typer.Typer()


@command(app, "refresher explain 7b0d2a4e", "refresher explain 7b0d2a4e --json")
def explain(connection: Id, json: Json = False) -> None:
    """Say why a connection is or is not going to be refreshed, and what to do about it."""
    settings = load()
    with session.looking(settings) as database:
        root = find_root(database, connection)
        known = catalogue_from(settings, database)
        found = explaining.gather(database.transaction, settings, known, root)
    said = explaining.sentences(found, instant)
    told = {"id": root, "state": found.standing.moment.state, "sentences": said}
    done(told, "\n".join(map(plain, said)), json=json)
