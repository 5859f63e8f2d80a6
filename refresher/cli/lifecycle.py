"""`refresher connections pause | resume | disable | delete`: what people decide about a connection.

A refresh in flight always ends normally, and its tokens are stored; these decide about the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session, working
from refresher.cli.arguments import Id, find, view_of
from refresher.cli.output import CannotDo, Json, command, done, emit, note
from refresher.connections import lifecycle
from refresher.connections.revocation import revoke
from refresher.rules import reasons
from refresher.rules.access import Actor
from refresher.rules.deed_words import DONE, REVOCATIONS, Reach, besides
from refresher.rules.deeds import Deed
from refresher.runtime.services import Services
from refresher.store.connections import OperatorView
from refresher.store.session import Database
from refresher.store.state_changes import NOTHING_TO_RESUME

_DOING: Mapping[Deed, Callable[[Database, Actor, UUID], object]] = {
    Deed.PAUSE: lifecycle.pause,
    Deed.DISABLE: lifecycle.disable,
    Deed.DELETE: lifecycle.delete,
}

app = typer.Typer()


@command(app, "refresher connections pause 7b0d2a4e")
def pause(connection: Id, json: Json = False) -> None:
    """Leave a connection alone for a while; `resume` ends it."""
    _stop(connection, Deed.PAUSE, json=json)


@command(app, "refresher connections disable 7b0d2a4e")
def disable(connection: Id, json: Json = False) -> None:
    """Switch a connection off, such as when its owner has not paid; `resume` ends it."""
    _stop(connection, Deed.DISABLE, json=json)


@command(app, "refresher connections resume 7b0d2a4e")
def resume(connection: Id, json: Json = False) -> None:
    """Make a paused, disabled or parked connection due at once, with the tokens it has.

    Ends "reconnect required" as well: a grant that is really dead is parked again by the refresh.
    """
    with session.database() as database:
        before = _living(database, find(database, connection))
        noted = lifecycle.resume(database, session.actor(), before.id).seen.note
        after = view_of(database, before.id)
    if noted:
        _tell(after, f"has {NOTHING_TO_RESUME}", json=json, note=NOTHING_TO_RESUME)
    else:
        _tell(after, DONE[Deed.RESUME], json=json)
    reason = before.parked_reason
    for sentence in besides(Deed.RESUME, _reach(before)):
        note(sentence)
    if not before.root_id and reason and reason not in reasons.RESUME_ALONE_HELPS:
        note(f"It was parked, and may be again: {reasons.mend_of(reason, before)}.")


@command(
    app,
    "refresher connections delete 7b0d2a4e",
    "refresher connections delete 7b0d2a4e --revoke --yes",
)
def delete(
    connection: Id,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Give the grant back at the provider (RFC 7009), too.")
    ] = False,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Delete a connection (softly: importing it again brings it back).

    A connection whose grant others share cannot be deleted before them. With --revoke its provider is
    asked to end the grant; the connection is deleted whatever comes of it.
    """
    if revoke:
        with working.services() as services:
            view = _delete(services.database, connection, yes=yes, json=json, tell=not json)
            _revoke(services, view, json=json)
    else:
        with session.database() as database:
            _delete(database, connection, yes=yes, json=json)


def _delete(
    database: Database, given: str, *, yes: bool, json: bool, tell: bool = True
) -> OperatorView:
    view = _living(database, find(database, given))
    lifecycle.check_delete(database, session.actor(), view.id)
    whose = f"{view.provider} {view.external_id} of organization {view.organization_id}"
    session.confirm(f"Delete {whose}?", to="delete", yes=yes)
    _apply(database, view, Deed.DELETE, json=json, tell=tell)
    return view


def _revoke(services: Services, view: OperatorView, *, json: bool) -> None:
    result = revoke(services, view.id, None)
    if json:
        emit({**asdict(view_of(services.database, view.id)), "revocation": asdict(result)})
    else:
        because = f" ({result.reason})" if result.reason else ""
        typer.echo(f"{REVOCATIONS[result.outcome.value]}{because}.")


def _stop(given: str, deed: Deed, *, json: bool) -> None:
    with session.database() as database:
        _apply(database, _living(database, find(database, given)), deed, json=json)


def _apply(
    database: Database, view: OperatorView, deed: Deed, *, json: bool, tell: bool = True
) -> None:
    _DOING[deed](database, session.actor(), view.id)
    after = view_of(database, view.id)
    if tell:
        _tell(after, DONE[deed], json=json)
    for sentence in besides(deed, _reach(view)):
        note(sentence)


def _reach(view: OperatorView) -> Reach:
    return Reach(
        slots=len(view.slots),
        root_id=str(view.root_id) if view.root_id else None,
        slot_of=str(view.slot_of) if view.slot_of else None,
        is_leased=view.state == "leased",
    )


def _tell(view: OperatorView, sentence: str, *, json: bool, **more: object) -> None:
    told = f"{view.id} ({view.provider}, {view.external_id}) {sentence}."
    done({**asdict(view), **more}, told, json=json)


def _living(database: Database, connection_id: UUID) -> OperatorView:
    view = view_of(database, connection_id)
    if view.deleted_at is not None:
        raise CannotDo(f"{view.id} is deleted: importing it again brings it back")
    return view
