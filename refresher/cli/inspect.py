"""`refresher inspect`: how a connection stands, why it is due when it is, and its last attempts.

With `--at`, how it stood then: the events around that moment tell (rules/history.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session
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
from refresher.insight import looking
from refresher.rules import reasons
from refresher.rules.connection import ParkReason
from refresher.rules.explanation import DueReason
from refresher.rules.headlines import health_at
from refresher.rules.history import Moment, PastEvent
from refresher.runtime.parts import catalogue_from, policy_from
from refresher.settings import Settings, load
from refresher.store.session import Database
from refresher.store.standing import ConnectionStanding, standing_of

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
    with session.looking(settings) as database:
        root = find_root(database, connection)
        if at is not None:
            if follow:
                raise CannotDo("--at and --follow exclude each other: what was does not go on")
            _show_past(database, settings, root, at, json=json)
            return
        newest = _show_now(settings, *_now(database, root), json=json)
        while follow:
            time.sleep(LOOK_AGAIN_SECONDS)
            standing, events = _now(database, root)
            if events and events[-1].id != newest:
                newest = _show_now(settings, standing, events, json=json)


def _now(database: Database, root: UUID) -> tuple[ConnectionStanding, list[PastEvent]]:
    with database.transaction() as db:
        return looking.now(db, root)


def _show_now(
    settings: Settings, standing: ConnectionStanding, events: list[PastEvent], *, json: bool
) -> int:
    why = _why(settings, standing, standing.moment, events[-1] if events else None)
    _show(standing, standing.moment, why, events, standing.now, json=json)
    return events[-1].id if events else 0


def _show_past(database: Database, settings: Settings, root: UUID, at: str, *, json: bool) -> None:
    with database.transaction() as db:
        standing = standing_of(db, root)
        assert standing is not None
        then = read_time("--at", at, standing.now)
        if then > standing.now:
            raise WrongUse(f'--at "{at}" is in the future: events tell only what was')
        kept_days = settings.event_retention_days
        found = looking.then(db, standing, then, kept_days=kept_days, instant=instant)
    why = _why(settings, standing, found.moment, found.last)
    _show(standing, found.moment, why, found.events, then, json=json)


def _why(
    settings: Settings, standing: ConnectionStanding, moment: Moment, last: PastEvent | None
) -> DueReason | None:
    provider = catalogue_from(settings).get(standing.connection.provider)
    return looking.why(standing, moment, last, provider, policy_from(settings))


def _show(
    standing: ConnectionStanding,
    moment: Moment,
    why: DueReason | None,
    events: Sequence[PastEvent],
    at: datetime,
    *,
    json: bool,
) -> None:
    connection = standing.connection
    known = {
        "health": health_at(moment, at),
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
    for line in _next(standing, moment, why, is_now=at == standing.now):
        typer.echo(line)
    show_timeline(events)


def _next(
    standing: ConnectionStanding, moment: Moment, why: DueReason | None, *, is_now: bool
) -> Iterator[str]:
    """Yields what stands between the facts and the timeline: what is next, or what it waits for."""
    yield ""
    if moment.due_at is not None:
        because = f" because {why.sentence}" if why else ""
        yield f"next refresh at {instant(moment.due_at)}{because}"
        yield ""
    elif moment.parked_reason == ParkReason.UNREAD_ANSWER and is_now:
        yield from reasons.of_unread(standing.connection.id, standing.unread, instant)
        yield ""
