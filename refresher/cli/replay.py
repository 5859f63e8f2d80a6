"""`refresher replay`: a recorded attempt's decisions again, by today's rules; nothing is sent."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session
from refresher.cli.arguments import Id, find_root, view_of
from refresher.cli.output import CannotDo, Json, command, emit, note, table
from refresher.rules.history import PastEvent
from refresher.rules.replay import Replayed
from refresher.rules.replay import replay as replayed
from refresher.runtime.parts import catalogue_from, policy_from
from refresher.settings import load
from refresher.store import events
from refresher.store.session import Database

COLUMNS = ["", "recorded", "today", ""]

app = typer.Typer()


@command(app, "refresher replay 7b0d2a4e", "refresher replay 7b0d2a4e --attempt 42 --json")
def replay(
    connection: Id,
    attempt: Annotated[
        int | None,
        typer.Option(min=1, help="Its number, as `inspect` shows it; else the newest recorded."),
    ] = None,
    json: Json = False,
) -> None:
    """Run a recorded attempt's decisions again through today's rules, and show what would differ.

    Nothing is sent and nothing is written. Rules, settings and the catalogue are those of now; what was
    known and what came back are those that were recorded.
    """
    settings = load()
    catalogue, policy = catalogue_from(settings), policy_from(settings)
    with session.database(settings) as database:
        root = find_root(database, connection, "its attempts are those")
        view = view_of(database, root)
        event = _attempt(database, root, attempt)
    result = replayed(event, catalogue.get(view.provider), view.provider, policy)
    _tell(event, result, json=json)


def _attempt(database: Database, root: UUID, number: int | None) -> PastEvent:
    with database.transaction() as db:
        event = events.attempt(db, root, number)
        known = events.attempts_around(db, root, number or 0)
    if event is not None:
        return event
    if known is None:
        raise CannotDo(
            f"{root} has no recorded attempt: it was not refreshed, or its events are pruned"
        )
    if number is None:
        raise CannotDo(f"{root} has no attempt that was recorded with what was known then")
    if known.below is None or known.above is None:
        raise CannotDo(f"{root} has no attempt {number}: there are {known.first} to {known.last}")
    raise CannotDo(
        f"{root} has no attempt {number}: the nearest ones are {known.below} and {known.above}"
    )


def _tell(event: PastEvent, result: Replayed, *, json: bool) -> None:
    if json:
        emit(
            {
                "attempt": event.lease_token,
                "kind": event.kind,
                "occurred_at": event.occurred_at,
                "differs": result.differs,
                "note": result.note,
                "compared": [
                    {"name": c.name, "recorded": c.recorded, "today": c.today, "differs": c.differs}
                    for c in result.compared
                ],
            }
        )
        return
    typer.echo(
        f"Attempt {event.lease_token}: {event.kind} at {event.occurred_at:%Y-%m-%d %H:%M:%S}Z"
    )
    if result.compared:
        rows = [
            [c.name, c.recorded, c.today, "differs" if c.differs else ""] for c in result.compared
        ]
        table(COLUMNS, rows)
        typer.echo("Something would differ." if result.differs else "Nothing would differ.")
    if result.note:
        note(f"Note: {result.note}.")
