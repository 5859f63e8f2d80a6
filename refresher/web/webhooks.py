"""Webhook endpoints and their messages. A signing secret leaves when it is made, and never again.

Creating and rotating take no Idempotency-Key: their answers hold a secret, and answers are kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from refresher.notify import endpoints
from refresher.store import replays
from refresher.store import webhooks as stored
from refresher.store.replays import DeliveryView, Replay
from refresher.store.webhooks import EndpointView
from refresher.web.dependencies import (
    ONCE,
    Caller,
    Id,
    Plain,
    Reader,
    Removed,
    Writer,
    with_problems,
)
from refresher.web.paging import Page, page, read_id, read_number
from refresher.web.problems import Problem
from refresher.web.routes import ApiRoute
from refresher.web.shapes import (
    DeliveryQuery,
    ReplayWish,
    RotationWish,
    WebhookBody,
    WebhookChange,
    WebhookQuery,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=ApiRoute)
WebhookId = Annotated[Id, Path(alias="webhook_id")]
USUAL_ROTATION = RotationWish()


@dataclass(frozen=True, slots=True)
class NewWebhook(EndpointView):
    """An endpoint and its secret, which is shown this once."""

    secret: str


@dataclass(frozen=True, slots=True)
class EnabledWebhook(EndpointView):
    """An endpoint that is sent messages again."""

    released: int


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A new secret, which is shown this once."""

    id: UUID
    secret: str
    previous_secret_until: datetime


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """What came back for a `webhook.test`; nothing of it is stored or counted."""

    id: UUID
    delivered: bool
    told: str
    http_status: int | None
    elapsed_seconds: float
    webhook_id: str
    body: str


@dataclass(frozen=True, slots=True)
class MessagesReplayed:
    """How many messages are due again."""

    id: UUID
    replayed: int


@router.get("", openapi_extra=with_problems("invalid_cursor"))
def list_webhooks(caller: Reader, query: Annotated[WebhookQuery, Query()]) -> Page[EndpointView]:
    """List webhook endpoints."""
    own, wanted = caller.organization_id, query.organization_id
    listing = ("webhooks", wanted)
    after = read_id(listing, query.cursor)
    if own is not None and wanted not in {None, own}:
        return Page([], None)
    with caller.database.transaction() as db:
        found = stored.every(db, organization_id=own or wanted, after=after, limit=query.limit + 1)
    return page(listing, found, query.limit, lambda view: [str(view.id)])


@router.post(
    "",
    status_code=201,
    openapi_extra=with_problems(
        "invalid_webhook", "organization_mismatch", "quota_reached", "too_many_waiting"
    ),
)
async def create_webhook(caller: Writer, body: WebhookBody) -> NewWebhook:
    """Create a webhook endpoint.

    It is sent what happens from now on. `secret` verifies its messages and is shown this once; so this
    takes no Idempotency-Key, for what it answers is not kept.
    """
    return await caller.outside(_create, caller, body)


def _create(caller: Caller, body: WebhookBody) -> NewWebhook:
    services = caller.services
    wanted = endpoints.WantedEndpoint(body.url, body.events, caller.owner(body), body.description)
    made, secret = endpoints.add(
        services.database,
        services.cipher,
        caller.state.egress,
        wanted,
        caller.actor,
        most=services.settings.quota_webhooks,
    )
    view = endpoints.find(services.database, made, wanted.organization_id)
    return NewWebhook(**asdict(view), secret=secret.reveal())


@router.get("/{webhook_id}")
def show_webhook(caller: Reader, webhook_id: WebhookId) -> EndpointView:
    """Show a webhook endpoint."""
    return _found(caller, webhook_id)


@router.patch(
    "/{webhook_id}",
    dependencies=[ONCE],
    openapi_extra=with_problems("invalid_webhook", "too_many_waiting"),
)
async def change_webhook(
    caller: Writer, webhook_id: WebhookId, body: WebhookChange, plain: Plain
) -> EndpointView:
    """Change url, events or description.

    What waits goes to the new url.
    """
    on = caller.outside if "url" in plain else caller.in_thread
    given = {name: plain[name] for name in body.model_fields_set}
    return await on(_change, caller, webhook_id, given)


def _change(caller: Caller, webhook_id: UUID, given: dict[str, object]) -> EndpointView:
    database, egress = caller.database, caller.state.egress
    return endpoints.change(database, egress, webhook_id, given, caller.actor)


@router.delete("/{webhook_id}", dependencies=[ONCE])
def delete_webhook(caller: Writer, webhook_id: WebhookId) -> Removed:
    """Delete a webhook endpoint.

    With its messages: those that wait for it are never sent.
    """
    view = _found(caller, webhook_id)
    endpoints.remove(caller.database, view.id, caller.actor)
    return Removed(view.id)


@router.post("/{webhook_id}/enable", dependencies=[ONCE])
def enable_webhook(caller: Writer, webhook_id: WebhookId) -> EnabledWebhook:
    """Enable a webhook endpoint.

    What was held for it meanwhile goes out, in its order.
    """
    view = _found(caller, webhook_id)
    released = endpoints.enable(caller.database, view.id, caller.actor)
    return EnabledWebhook(**asdict(_found(caller, webhook_id)), released=released)


@router.post("/{webhook_id}/disable", dependencies=[ONCE])
def disable_webhook(caller: Writer, webhook_id: WebhookId) -> EndpointView:
    """Disable a webhook endpoint.

    What happens meanwhile is held for it.
    """
    view = _found(caller, webhook_id)
    endpoints.disable(caller.database, view.id, caller.actor)
    return _found(caller, webhook_id)


@router.post("/{webhook_id}/rotate-secret")
def rotate_webhook_secret(
    caller: Writer, webhook_id: WebhookId, body: RotationWish = USUAL_ROTATION
) -> NewSecret:
    """Make a new signing secret.

    For a while messages carry both signatures. The secret is shown this once; so this takes no
    Idempotency-Key.
    """
    services, given = caller.services, body.overlap_seconds
    view = _found(caller, webhook_id)
    seconds = services.settings.webhook_secret_overlap_seconds if given is None else given
    secret, until = endpoints.rotate_secret(
        services.database, services.cipher, view.id, caller.actor, overlap_seconds=seconds
    )
    return NewSecret(view.id, secret.reveal(), until)


@router.post("/{webhook_id}/test", openapi_extra=with_problems("too_many_waiting"))
async def test_webhook(caller: Writer, webhook_id: WebhookId) -> TestDelivery:
    """Send a test message.

    A signed `webhook.test`, now, whatever the filters, also to a disabled one.
    """
    return await caller.outside(_test, caller, webhook_id)


def _test(caller: Caller, webhook_id: UUID) -> TestDelivery:
    services, view = caller.services, _found(caller, webhook_id)
    tested = endpoints.send_test(
        services.database, services.cipher, services.webhook_sender, view.id
    )
    return TestDelivery(id=view.id, **tested.facts())


@router.get("/{webhook_id}/deliveries", openapi_extra=with_problems("invalid_cursor"))
def list_webhook_deliveries(
    caller: Reader, webhook_id: WebhookId, query: Annotated[DeliveryQuery, Query()]
) -> Page[DeliveryView]:
    """List an endpoint's messages."""
    view = _found(caller, webhook_id)
    listing = ("deliveries", view.id, query.state)
    before = read_number(listing, query.cursor)
    with caller.database.transaction() as db:
        found = replays.deliveries(
            db, view.id, state=query.state, before=before, limit=query.limit + 1
        )
    return page(listing, found, query.limit, lambda message: [message.id])


@router.post(
    "/{webhook_id}/replay",
    dependencies=[ONCE],
    openapi_extra=with_problems("no_such_event", "webhook_disabled"),
)
def replay_webhook_deliveries(
    caller: Writer, webhook_id: WebhookId, body: ReplayWish
) -> MessagesReplayed:
    """Send messages again.

    With their old ids and in their old order, delivered ones as well.
    """
    wanted = (body.event_id, body.since, body.until)
    if not (body.only_failed or any(wanted)):
        raise Problem("invalid_body", "name one of event_id, since, until and only_failed")
    view = _found(caller, webhook_id)
    if view.disabled_at:
        raise Problem("webhook_disabled", "enable it first, which sends what was held for it")
    if body.event_id is not None:
        _refuse_foreign(caller, view, body.event_id)
    which = Replay(view.id, *wanted, only_failed=body.only_failed)
    return MessagesReplayed(view.id, endpoints.replay(caller.database, which, caller.actor))


def _refuse_foreign(caller: Caller, view: EndpointView, event_id: UUID) -> None:
    """Raises 404 for an event that is unknown, or of an organization that the endpoint is not of."""
    if endpoints.foreign_event(caller.database, view, event_id):
        sentence = "no event of the endpoint's organization has this id, or it is not kept any more"
        raise Problem("no_such_event", sentence)


def _found(caller: Caller, webhook_id: UUID) -> EndpointView:
    return endpoints.find(caller.database, webhook_id, caller.organization_id)
