"""Connections: register, list, look, change, steer, delete. No token leaves here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from refresher.connections import lifecycle, registration
from refresher.connections.revocation import Revocation, revoke
from refresher.errors import InvalidConnection
from refresher.rules.connection import ParkReason
from refresher.rules.history import PastEvent
from refresher.rules.registration import read
from refresher.rules.standing_word import Health
from refresher.store import connections, finding, lists
from refresher.store.connections import ConnectionView, Versioned
from refresher.store.events import page as past_events
from refresher.store.finding import Unsearchable
from refresher.store.lists import Chosen
from refresher.store.walks import NoPlace
from refresher.web.dependencies import (
    NOT_ITS_OWN,
    ONCE,
    Answered,
    Caller,
    ConnectionId,
    IfMatch,
    Plain,
    Reader,
    Writer,
    with_problems,
)
from refresher.web.paging import NOT_OURS, Page, page, read_number, read_place, write
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import (
    ConnectionChange,
    DeleteQuery,
    Flag,
    PageQuery,
    Registration,
    Text,
)

router = APIRouter(prefix="/v1/connections", tags=["connections"], route_class=ApiRoute)
Shown = Answered[ConnectionView]


@dataclass(frozen=True, slots=True)
class Deleted:
    """The connection that is gone; `revocation` null when none was asked for."""

    id: UUID
    deleted: Literal[True]
    revocation: Revocation | None


class ConnectionQuery(PageQuery):
    """Which connections, and which page of them."""

    organization_id: Text | None = None
    provider: Text | None = None
    state: Literal["idle", "leased", "parked"] | None = None
    reason: ParkReason | None = Field(None, description="Only those parked for this reason.")
    health: Health | None = Field(None, description="Only those that stand so.")
    external_id: Text | None = None
    find: str | None = Field(
        None, description="Those that this text may mean, without other filters."
    )
    slots: Flag = Field(default=False, description="Also the tokens beside the main ones.")


@router.put(
    "",
    responses={201: {"model": ConnectionView}},
    dependencies=[ONCE],
    openapi_extra=with_problems("invalid_connection", "organization_mismatch", "quota_reached"),
)
def register_connection(caller: Writer, body: Registration, plain: Plain) -> Shown:
    """Register a connection, or reconnect it.

    201: it is new. 200: it was known, and is reconnected, or updated where no token came. All are one
    and the same call; repeat one safely with an Idempotency-Key, so that an old pair of tokens never
    follows a newer one. A stored token goes to no other place: who changes host, app or a placeholder
    sends new tokens.
    """
    del body  # validated; what is read is the line as it came
    new = read(_completed(plain, caller.organization_id))
    services = caller.services
    taken = registration.take(
        services, [new], caller.actor, most=services.settings.quota_connections
    )
    if taken.rejected:
        raise InvalidConnection(taken.rejected[0])
    versioned = lifecycle.find(services.database, caller.actor, new.id)
    return _shown(versioned, 201 if taken.created else 200)


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_connections(
    caller: Reader, query: Annotated[ConnectionQuery, Query()]
) -> Page[ConnectionView]:
    """List connections.

    `health`, `state` and `reason` look at 3,000 candidates for a page at most: it may be short, or
    empty, while `next_cursor` leads on. `find` is a search: by external id, name or id, or the
    beginning of one (4 digits of an id), the exact one first; it has no next page.
    """
    if query.find is not None:
        return _found(caller, query, query.find)
    asked = query.model_dump(exclude={"cursor", "limit", "reason", "find"})
    chosen = Chosen(**asked, parked_reason=query.reason)
    if caller.organization_id is not None:
        if chosen.organization_id not in {None, caller.organization_id}:
            return Page([], None)
        chosen = replace(chosen, organization_id=caller.organization_id)
    after = read_place(chosen, query.cursor)
    with caller.database.transaction() as db:
        try:
            found = lists.ids(db, chosen, after=after, limit=query.limit)
        except NoPlace:
            raise Problem("invalid_cursor", NOT_OURS) from None
        shown = connections.of(db, found.ids, caller.organization_id)
    return Page(shown, write(chosen, found.after) if found.after else None)


def _found(caller: Caller, query: ConnectionQuery, text: str) -> Page[ConnectionView]:
    """Returns those that a text may mean; there is no next page."""
    others = query.model_fields_set - {"find", "limit", "organization_id"}
    if others:
        raise Problem("invalid_query", f"find goes without {', '.join(sorted(others))}")
    own = caller.organization_id
    if own is not None and query.organization_id not in {None, own}:
        return Page([], None)
    with caller.database.transaction() as db:
        try:
            found = finding.search(db, text, own or query.organization_id, limit=query.limit)
        except Unsearchable as error:
            raise Problem("invalid_query", f"find: {error}") from None
        return Page(connections.of(db, [row.id for row in found.rows], own), None)


@router.get("/{id}")
def show_connection(caller: Reader, connection_id: ConnectionId) -> Shown:
    """Show a connection."""
    return _shown(lifecycle.find(caller.database, caller.actor, connection_id))


@router.patch("/{id}", dependencies=[ONCE], openapi_extra=with_problems("invalid_connection"))
def change_connection(
    caller: Writer,
    connection_id: ConnectionId,
    body: ConnectionChange,
    plain: Plain,
    if_match: IfMatch,
) -> Shown:
    """Change name, metadata or scopes."""
    given = {name: plain[name] for name in body.model_fields_set}
    database = caller.database
    return _shown(lifecycle.change(database, caller.actor, connection_id, given, if_match))


@router.delete(
    "/{id}", dependencies=[ONCE], openapi_extra=with_problems("holds_grant", "too_many_waiting")
)
async def delete_connection(
    caller: Writer,
    connection_id: ConnectionId,
    query: Annotated[DeleteQuery, Query()],
    if_match: IfMatch,
) -> Deleted:
    """Delete a connection.

    Registering it again brings it back. With `revoke=true` the provider is asked to end the grant, as
    far as it can be reached and has an endpoint for that.
    """
    on = caller.outside if query.revoke else caller.in_thread
    return await on(_delete, caller, connection_id, if_match, query.revoke)


def _delete(
    caller: Caller,
    connection_id: UUID,
    if_match: frozenset[str] | None,
    revoked: bool,  # noqa: FBT001  it comes through a queue of threads, by position
) -> Deleted:
    services = caller.services
    gone = lifecycle.delete(services.database, caller.actor, connection_id, if_match)
    told = revoke(services, gone.id, caller.organization_id) if revoked else None
    return Deleted(connection_id, True, told)  # noqa: FBT003  the field's one value


@router.post("/{id}/pause", dependencies=[ONCE])
def pause_connection(caller: Writer, connection_id: ConnectionId, if_match: IfMatch) -> Shown:
    """Pause a connection.

    It is not refreshed until it is resumed.
    """
    return _shown(lifecycle.pause(caller.database, caller.actor, connection_id, if_match))


@router.post("/{id}/resume", dependencies=[ONCE])
def resume_connection(caller: Writer, connection_id: ConnectionId, if_match: IfMatch) -> Shown:
    """Resume a connection.

    Ends pause, disabling and `reconnect_required`; it is refreshed at once. Where it waits for
    nothing, nothing is done, and `note` says so.
    """
    return _shown(lifecycle.resume(caller.database, caller.actor, connection_id, if_match))


@router.post("/{id}/disable", dependencies=[ONCE])
def disable_connection(caller: Writer, connection_id: ConnectionId, if_match: IfMatch) -> Shown:
    """Disable a connection.

    Such as when its owner has not paid.
    """
    return _shown(lifecycle.disable(caller.database, caller.actor, connection_id, if_match))


@router.post("/{id}/enable", dependencies=[ONCE])
def enable_connection(caller: Writer, connection_id: ConnectionId, if_match: IfMatch) -> Shown:
    """Enable a connection.

    Ends `disabled`; a pause goes on.
    """
    return _shown(lifecycle.enable(caller.database, caller.actor, connection_id, if_match))


@router.get("/{id}/events", openapi_extra=with_problems("invalid_cursor"))
def list_connection_events(
    caller: Reader, connection_id: ConnectionId, query: Annotated[PageQuery, Query()]
) -> Page[PastEvent]:
    """List what happened to a connection."""
    before = read_number(connection_id, query.cursor)
    database, own = caller.database, caller.organization_id
    lifecycle.find(database, caller.actor, connection_id)
    with database.transaction() as db:
        found = past_events(db, connection_id, own, before=before, limit=query.limit + 1)
    return page(connection_id, found, query.limit, lambda event: [event.id])


def _completed(line: dict[str, object], own: str | None) -> dict[str, object]:
    """Returns the import line, with the key's organization where it names none."""
    given = dict(line)
    if given.get("organization_id") is None and own is not None:
        given["organization_id"] = own
    if own is not None and given["organization_id"] != own:
        raise Problem("organization_mismatch", NOT_ITS_OWN)
    return given


def _shown(versioned: Versioned, status: int = 200) -> Shown:
    return Answered(versioned.seen, status, versioned.etag)
