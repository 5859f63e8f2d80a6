"""The routes of `connections.py`, as rows of the table."""

from __future__ import annotations

from collections.abc import Callable

from refresher.connections import lifecycle
from refresher.rules.access import Scope
from refresher.store.connections import Versioned
from refresher.web import connections
from refresher.web.call import Route
from refresher.web.models import (
    Connection,
    ConnectionPage,
    Deleted,
    EventPage,
)
from refresher.web.queries import ConnectionQuery, DeleteQuery, PageQuery
from refresher.web.registration_models import Change, Registration

ALL = "/v1/connections"
ONE = "/v1/connections/{id}"


def _steering(word: str, work: Callable[..., Versioned], summary: str, description: str) -> Route:
    return Route(
        "POST",
        f"{ONE}/{word}",
        connections.steer(work),
        summary,
        Scope.WRITE,
        {200: Connection},
        description=description,
        conditional=True,
        idempotent=True,
    )


ROUTES = (
    Route(
        "PUT",
        ALL,
        connections.register,
        "Register a connection, or reconnect it",
        Scope.WRITE,
        {200: Connection, 201: Connection},
        description="201: it is new. 200: it was known, and is reconnected, or updated where no token "
        "came. All are one and the same call; repeat one safely with an Idempotency-Key, so that an "
        "old pair of tokens never follows a newer one. A stored token goes to no other place: who "
        "changes host, app or a placeholder sends new tokens.",
        body=Registration,
        idempotent=True,
        problems=("invalid_connection", "organization_mismatch", "quota_reached"),
    ),
    Route(
        "GET",
        ALL,
        connections.list_,
        "List connections",
        Scope.READ,
        {200: ConnectionPage},
        query=ConnectionQuery,
        problems=("invalid_cursor",),
    ),
    Route("GET", ONE, connections.show, "Show a connection", Scope.READ, {200: Connection}),
    Route(
        "PATCH",
        ONE,
        connections.change,
        "Change name, metadata or scopes",
        Scope.WRITE,
        {200: Connection},
        body=Change,
        conditional=True,
        idempotent=True,
        problems=("invalid_connection",),
    ),
    Route(
        "DELETE",
        ONE,
        connections.delete,
        "Delete a connection",
        Scope.WRITE,
        {200: Deleted},
        description="Registering it again brings it back. With `revoke=true` the provider is asked "
        "to end the grant, as far as it can be reached and has an endpoint for that.",
        query=DeleteQuery,
        conditional=True,
        idempotent=True,
        waits=lambda call: call.query.revoke,
        problems=("holds_grant",),
    ),
    _steering(
        "pause", lifecycle.pause, "Pause a connection", "It is not refreshed until it is resumed."
    ),
    _steering(
        "resume",
        lifecycle.resume,
        "Resume a connection",
        "Ends pause, disabling and `reconnect_required`; it is refreshed at once. Where it waits for "
        "nothing, nothing is done, and `note` says so.",
    ),
    _steering(
        "disable", lifecycle.disable, "Disable a connection", "Such as when its owner has not paid."
    ),
    _steering(
        "enable", lifecycle.enable, "Enable a connection", "Ends `disabled`; a pause goes on."
    ),
    Route(
        "GET",
        f"{ONE}/events",
        connections.events,
        "List what happened to a connection",
        Scope.READ,
        {200: EventPage},
        query=PageQuery,
        problems=("invalid_cursor",),
    ),
)
