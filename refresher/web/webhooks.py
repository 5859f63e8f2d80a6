"""Webhook endpoints and their messages. A signing secret leaves when it is made, and never again.

Creating and rotating take no Idempotency-Key: their answers hold a secret, and answers are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from uuid import UUID

from refresher.errors import EgressRefused
from refresher.notify import endpoints
from refresher.store import replays
from refresher.store import webhooks as stored
from refresher.store.replays import Replay
from refresher.store.webhooks import EndpointView
from refresher.web import cursors, reading
from refresher.web.call import Answer, Call
from refresher.web.owning import owner, page
from refresher.web.problems import Problem
from refresher.web.queries import DeliveryQuery, WebhookQuery
from refresher.web.state import State
from refresher.web.telling_models import ReplayWish, WebhookBody


def list_(state: State, call: Call) -> Answer:
    """Lists endpoints in the order in which they were made."""
    query: WebhookQuery = call.query
    own, wanted = call.key.organization_id, query.organization_id
    listing = ("webhooks", wanted)
    after = _after(listing, query.cursor)
    if own is not None and wanted not in {None, own}:
        return Answer({"items": [], "next_cursor": None})
    with state.services.database.transaction() as db:
        found = stored.every(db, organization_id=own or wanted, after=after, limit=query.limit + 1)
    return page(listing, found, query.limit, lambda view: [str(view.id)])


def create(state: State, call: Call) -> Answer:
    """Stores an endpoint and answers its secret."""
    services, body = state.services, call.body
    assert isinstance(body, WebhookBody)
    wanted = endpoints.Wanted(body.url, body.events, owner(call), body.description)
    with _refused_urls():
        made, secret = endpoints.add(
            services.database,
            services.cipher,
            state.egress,
            wanted,
            call.key.actor,
            most=services.settings.quota_webhooks,
        )
    view = endpoints.find(services.database, made, wanted.organization_id)
    return Answer({**asdict(view), "secret": secret.reveal()}, 201)


def show(state: State, call: Call) -> Answer:
    """Shows one endpoint."""
    return Answer(_found(state, call))


def change(state: State, call: Call) -> Answer:
    """Changes url, events or description."""
    given = {name: call.raw_body[name] for name in call.body.model_fields_set}
    database, by = state.services.database, call.key.actor
    with _refused_urls():
        return Answer(endpoints.change(database, state.egress, _id(call), given, by))


def delete(state: State, call: Call) -> Answer:
    """Deletes an endpoint with its messages."""
    view = _found(state, call)
    endpoints.remove(state.services.database, view.id, call.key.actor)
    return Answer({"id": view.id, "deleted": True})


def enable(state: State, call: Call) -> Answer:
    """Enables an endpoint; what was held for it is due."""
    view = _found(state, call)
    released = endpoints.enable(state.services.database, view.id, call.key.actor)
    return Answer({**asdict(_found(state, call)), "released": released})


def disable(state: State, call: Call) -> Answer:
    """Disables an endpoint; what comes is held for it."""
    view = _found(state, call)
    endpoints.disable(state.services.database, view.id, call.key.actor)
    return Answer(_found(state, call))


def rotate_secret(state: State, call: Call) -> Answer:
    """Makes a new secret and answers it."""
    services, given = state.services, call.body.overlap_seconds
    view = _found(state, call)
    seconds = services.settings.webhook_secret_overlap_seconds if given is None else given
    secret, until = endpoints.rotate_secret(
        services.database, services.cipher, view.id, call.key.actor, overlap_seconds=seconds
    )
    return Answer({"id": view.id, "secret": secret.reveal(), "previous_secret_until": until})


def send_test(state: State, call: Call) -> Answer:
    """Sends a signed `webhook.test` now."""
    services, view = state.services, _found(state, call)
    tested = endpoints.send_test(
        services.database, services.cipher, services.webhook_sender, view.id
    )
    return Answer(
        {
            "id": view.id,
            "delivered": tested.is_delivered,
            "told": tested.told,
            "http_status": tested.answer.status,
            "elapsed_seconds": round(tested.answer.elapsed_seconds, 3),
            "webhook_id": tested.message_id,
            "body": tested.sent.decode(),
        }
    )


def deliveries(state: State, call: Call) -> Answer:
    """Lists an endpoint's messages, the newest first."""
    query: DeliveryQuery = call.query
    view = _found(state, call)
    listing = ("deliveries", view.id, query.state)
    place = cursors.read(listing, query.cursor, [int])
    before = int(place[0]) if place else None
    with state.services.database.transaction() as db:
        found = replays.deliveries(
            db, view.id, state=query.state, before=before, limit=query.limit + 1
        )
    return page(listing, found, query.limit, lambda message: [message.id])


def replay(state: State, call: Call) -> Answer:
    """Makes messages due again."""
    wish: ReplayWish = call.body
    wanted = (wish.event_id, wish.since, wish.until)
    if not (wish.only_failed or any(wanted)):
        raise Problem("invalid_body", "name one of event_id, since, until and only_failed")
    view = _found(state, call)
    if view.disabled_at:
        raise Problem("webhook_disabled", "enable it first, which sends what was held for it")
    if wish.event_id is not None:
        _refuse_foreign(state, view, wish.event_id)
    sent = endpoints.replay(
        state.services.database,
        Replay(view.id, *wanted, only_failed=wish.only_failed),
        call.key.actor,
    )
    return Answer({"id": view.id, "replayed": sent})


def _refuse_foreign(state: State, view: EndpointView, event_id: UUID) -> None:
    """Raises 404 for an event that is unknown, or of an organization that the endpoint is not of."""
    with state.services.database.transaction() as db:
        is_known, organization = replays.event_organization(db, event_id)
    if not is_known or view.organization_id not in {None, organization}:
        sentence = "no event of the endpoint's organization has this id, or it is not kept any more"
        raise Problem("no_such_event", sentence)


def _after(listing: object, cursor: str | None) -> UUID | None:
    place = cursors.read(listing, cursor, [str])
    try:
        return UUID(str(place[0])) if place else None
    except ValueError:
        sentence = "cursor is none that this API gave: leave it out to begin anew"
        raise Problem("invalid_cursor", sentence) from None


def _id(call: Call) -> UUID:
    return reading.path_id(call.path, "webhook_id", "no_such_webhook")


def _found(state: State, call: Call) -> EndpointView:
    """Returns the endpoint of the path, if it is of the key's organization; raises 404."""
    return endpoints.find(state.services.database, _id(call), call.key.organization_id)


@contextmanager
def _refused_urls() -> Iterator[None]:
    try:
        yield
    except EgressRefused as refused:
        raise Problem("invalid_webhook", str(refused)) from None
