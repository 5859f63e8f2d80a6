"""`refresher events`: what happened to one connection, and why."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from refresher.cli import opening, timeline
from refresher.cli.finding import Id, find
from refresher.cli.output import Json, emit, examples, note, plain, span, table
from refresher.store import connections, lookup
from refresher.store.events import PastEvent, recent

LOOK_AGAIN_SECONDS = 0.5
COLUMNS = ["attempt", "when", "what", "failures", "http", "took", "late", "reason", "next"]
SPARE = ("late", "took", "failures", "next")
"""What a narrow terminal can do without, the first first."""


def register(app: typer.Typer) -> None:
    """Adds `events`."""
    epilog = examples("refresher events 7b0d2a4e --limit 10", "refresher events 7b0d2a4e --follow")
    app.command("events", epilog=epilog)(events)


def events(
    connection: Id,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest ones.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they happen.")] = False,
    json: Json = False,
) -> None:
    """Show the history of one connection, the newest event last; no secret ever stands in it.

    `attempt` is the number that `inspect` and `replay` know it by, `failures` those since the last
    success, `next` how long after the event it is due again. A connection that shares another's grant
    shows that one's history: refreshes happen there.
    """
    with opening.database() as database:
        found = find(database, connection)
        with database.transaction() as db:
            root = connections.root_of(db, found) or found
            past = recent(db, root, limit=limit)[::-1]
        if root != found:
            note(f"It shares the grant of {root}; this is the history of that.")
        _show(past, json=json)
        while follow:
            time.sleep(LOOK_AGAIN_SECONDS)
            with database.transaction() as db:
                fresh = lookup.events_after(db, root, past[-1].id if past else 0)
            _show_more(fresh, json=json)
            past = fresh or past


def _show(past: list[PastEvent], *, json: bool) -> None:
    if json:
        _show_more(past, json=True)
    else:
        table(COLUMNS, [_row(event) for event in past], spare=SPARE)


def _show_more(fresh: list[PastEvent], *, json: bool) -> None:
    for event in fresh:
        if json:
            emit(event)
        else:
            typer.echo("  ".join(plain(value) for value in _row(event) if value not in (None, "")))


def _row(event: PastEvent) -> list[object]:
    took, late = event.elapsed_seconds, event.lateness_seconds
    return [
        event.lease_token,
        f"{event.occurred_at:%m-%d %H:%M:%S}Z",
        event.kind,
        event.attempt or None,
        event.http_status,
        None if took is None else span(took),
        None if late is None else span(max(0.0, late)),
        timeline.reason_of(event),
        timeline.next_of(event),
    ]
