"""`refresher events`: what happened to one connection, and why; a timeline of it for `inspect`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from refresher.cli import session
from refresher.cli.arguments import Id, find_root
from refresher.cli.output import Json, command, emit, listing, note, plain, table
from refresher.rules.history import PastEvent, steps
from refresher.rules.words import span
from refresher.store import lookup
from refresher.store.events import events_after, recent

LOOK_AGAIN_SECONDS = 0.5
COLUMNS = ["attempt", "when", "what", "failures", "http", "took", "late", "reason", "next"]
SPARE = ("late", "took", "failures", "next")
"""What a narrow terminal can do without, the first first."""
TIMELINE = ["attempt", "when", "what", "steps", "http", "reason", "next"]
TIMELINE_SPARE = ("next", "http")

app = typer.Typer()


@command(app, "refresher events 7b0d2a4e --limit 10", "refresher events 7b0d2a4e --follow")
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
    with session.looking() as database:
        root = find_root(database, connection, "this is the history of that")
        with database.transaction() as db:
            past = recent(db, root, limit=limit)[::-1]
            slots = lookup.slot_names(db, root)
        for name, slot in slots.items():
            note(f'Its slot "{name}" has a history of its own: `refresher events {slot}`.')
        listing(past, COLUMNS, _row, json=json, spare=SPARE)
        while follow:
            time.sleep(LOOK_AGAIN_SECONDS)
            with database.transaction() as db:
                fresh = events_after(db, root, past[-1].id if past else 0)
            _show_more(fresh, json=json)
            past = fresh or past


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
        _reason(event),
        _next(event),
    ]


def show_timeline(events: Sequence[PastEvent]) -> None:
    """Prints a timeline, the newest event last."""
    table(TIMELINE, timeline_rows(events), spare=TIMELINE_SPARE)


def timeline_rows(events: Sequence[PastEvent]) -> list[list[object]]:
    """Returns a timeline's rows under `TIMELINE`."""
    return [_timeline_row(event) for event in events]


def as_json(event: PastEvent) -> dict[str, object]:
    """Returns an event with its steps, as plain values."""
    return {**asdict(event), "steps": [asdict(step) for step in steps(event)]}


def _timeline_row(event: PastEvent) -> list[object]:
    return [
        event.lease_token,
        f"{event.occurred_at:%m-%d %H:%M:%S}Z",
        event.kind,
        _steps(event),
        event.http_status,
        _reason(event) or event.parked_reason or event.postponed_by,
        _next(event),
    ]


def _reason(event: PastEvent) -> str | None:
    """Returns an event's reason; of a grant that we asked the provider to end, that it was a wish."""
    if event.kind == "revocation" and event.reason == "revoked":
        return "revoked as asked"
    return event.reason


def _next(event: PastEvent) -> str | None:
    """Returns how long after an event the row was due again: a past one is no news of today."""
    if event.next_due_at is None:
        return None
    seconds = (event.next_due_at - event.occurred_at).total_seconds()
    return f"{span(seconds)} later" if seconds >= 1 else "at once"


def _steps(event: PastEvent) -> str | None:
    known = steps(event)
    if len(known) < 2:
        return None
    return " → ".join(
        step.name
        if step.after_seconds is None
        else f"{step.name} +{span(max(0.0, step.after_seconds))}"
        for step in known
    )
