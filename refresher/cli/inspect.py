"""`refresher inspect`: how a connection stands, why it is due when it is, and its last attempts.

With `--at`, how it stood then: the events around that moment tell (rules/history.py).
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import reasons, session
from refresher.cli.arguments import Id, find_root, read_time
from refresher.cli.events import LOOK_AGAIN_SECONDS, as_json, show_timeline
from refresher.cli.output import (
    SHOWN,
    CannotDo,
    Json,
    WrongUse,
    command,
    details,
    emit,
    instant,
)
from refresher.rules.connection import ParkReason
from refresher.rules.explanation import DueReason, why_due
from refresher.rules.history import Moment, PastEvent, Untold, state_at
from refresher.runtime.services import catalogue_from, policy_from
from refresher.settings import Settings, load
from refresher.store import events
from refresher.store.events import Around, recent
from refresher.store.session import Database
from refresher.store.standing import ConnectionStanding, standing_of

ATTEMPTS_SHOWN = 20


app = typer.Typer()


@command(
    app,
    "refresher inspect 7b0d2a4e",
    'refresher inspect 7b0d2a4e --at "10m ago"',
    "refresher inspect 7b0d2a4e --at 2026-03-01T12:00:00Z --json",
    "refresher inspect 7b0d2a4e --follow",
)
def inspect(
    connection: Id,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='How it stood then: ISO 8601, or such as "10m ago".'),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it happens.")] = False,
    json: Json = False,
) -> None:
    """Show how a connection stands or stood, why it is due when it is, and its last attempts.

    No token is read. A connection that shares another's grant shows that one.
    """
    settings = load()
    with session.database(settings) as database:
        root = find_root(database, connection)
        if at is not None:
            if follow:
                raise CannotDo("--at and --follow exclude each other: what was does not go on")
            _show_past(database, settings, root, at, json=json)
            return
        newest = _show_now(settings, *now_of(database, root), json=json)
        while follow:
            time.sleep(LOOK_AGAIN_SECONDS)
            standing, events = now_of(database, root)
            if events and events[-1].id != newest:
                newest = _show_now(settings, standing, events, json=json)


def now_of(database: Database, root: UUID) -> tuple[ConnectionStanding, list[PastEvent]]:
    """Returns how a connection stands, and its newest events, the newest last."""
    with database.transaction() as db:
        standing = standing_of(db, root)
        events = recent(db, root, limit=ATTEMPTS_SHOWN)[::-1]
    assert standing is not None
    return standing, events


def _show_now(
    settings: Settings, standing: ConnectionStanding, events: list[PastEvent], *, json: bool
) -> int:
    why = why_of(settings, standing, standing.moment, events[-1] if events else None)
    _show(standing, standing.moment, why, events, standing.now, json=json)
    return events[-1].id if events else 0


def _show_past(database: Database, settings: Settings, root: UUID, at: str, *, json: bool) -> None:
    with database.transaction() as db:
        standing = standing_of(db, root)
        assert standing is not None
        then = read_time("--at", at, standing.now)
        if then > standing.now:
            raise WrongUse(f'--at "{at}" is in the future: events tell only what was')
        around = events.around(db, root, then)
    found = state_at(
        then,
        past=around.past,
        later=around.later,
        now=standing.moment,
        created_at=standing.created_at,
    )
    if isinstance(found, Untold):
        raise CannotDo(_untold(found.why, standing, around, settings))
    last = around.past[-1] if around.past else None
    why = why_of(settings, standing, found, last)
    _show(standing, found, why, around.past[-ATTEMPTS_SHOWN:], then, json=json)


def _untold(why: str, standing: ConnectionStanding, around: Around, settings: Settings) -> str:
    id_ = standing.connection.id
    if why == "before_the_first":
        return f"{id_} did not exist then: it was imported at {instant(standing.created_at)}"
    if why == "older_version":
        return f"the last event of {id_} before that time is of an older version, which kept less"
    kept = (
        f"events are kept for {settings.event_retention_days} days (REFRESHER_EVENT_RETENTION_DAYS)"
    )
    oldest = (
        f"; the oldest one of {id_} is of {instant(around.oldest_at)}" if around.oldest_at else ""
    )
    return f"what happened before that time is pruned: {kept}{oldest}"


def why_of(
    settings: Settings, standing: ConnectionStanding, moment: Moment, last: PastEvent | None
) -> DueReason | None:
    """Returns why the row is due when it is, None for one that is parked or of no known provider."""
    provider = catalogue_from(settings).get(standing.connection.provider)
    if provider is None or moment.due_at is None:
        return None
    return why_due(standing.connection.id, moment, last, provider, policy_from(settings))


def _show(
    standing: ConnectionStanding,
    moment: Moment,
    why: DueReason | None,
    events: list[PastEvent],
    at: datetime,
    *,
    json: bool,
) -> None:
    connection = standing.connection
    known = {
        "id": connection.id,
        "organization_id": connection.organization_id,
        "provider": connection.provider,
        "external_id": connection.external_id,
        "slot": standing.slot or None,
        "slots": standing.slots or None,
        "at": at,
        "scopes": list(connection.scopes) or None,
        "granted_scopes": standing.granted_scopes,
        "kept_fields": standing.kept_fields,
        "grant_ends_at": standing.grant_ends_at,
        "unread_answer": standing.unread.id if standing.unread and at == standing.now else None,
    }
    if json:
        past = [as_json(event) for event in events]
        emit({**known, **asdict(moment), "why": why and asdict(why), "events": past})
        return
    state = SHOWN.get(moment.state, moment.state)
    stands = {**known, **asdict(moment), "state": state}
    details({name: value for name, value in stands.items() if value != 0})
    if moment.due_at is not None:
        because = f" because {why.sentence}" if why else ""
        typer.echo(f"\nnext refresh at {instant(moment.due_at)}{because}\n")
    elif moment.parked_reason == ParkReason.UNREAD_ANSWER and at == standing.now:
        typer.echo("\n" + "\n".join(reasons.of_unread(connection, standing.unread)) + "\n")
    show_timeline(events)
