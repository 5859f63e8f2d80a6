"""Webhook endpoints as an application manages its own: docs/webhooks.md tells what they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NotRequired, TypedDict, TypeVar
from uuid import UUID

from refresher.client.calls import Call, Page, as_json, page_of, page_params
from refresher.client.values import made
from refresher.client.which import as_uuid
from refresher.errors import NoSuchWebhook
from refresher.rules.connection import Secret

T = TypeVar("T")
Id = UUID | str
PATH = "/v1/webhooks"


class WebhookFields(TypedDict):
    """What `create` takes by name.

    `events` are kinds such as `connection.recovered`, `connection.*` or `*`. Left out, the organization
    is that of the API key; without one it must be named, and None makes an operator's endpoint.
    """

    url: str
    events: Sequence[str]
    description: NotRequired[str | None]
    organization_id: NotRequired[str | None]


class WebhookChange(TypedDict, total=False):
    """What `change` takes by name; what is left out stays."""

    url: str
    events: Sequence[str]
    description: str | None


class Replayed(TypedDict, total=False):
    """Which messages `replay` sends again: all that these, taken together, describe. One is needed."""

    event_id: UUID | str
    since: datetime
    until: datetime
    only_failed: bool


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint. `waiting`, `held` and `failed` count messages, up to 10,001 for "more".

    `secret` is None but where it was made just now: it verifies what is sent, and is told this once.
    """

    id: UUID
    organization_id: str | None
    url: str
    events: tuple[str, ...]
    description: str | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    delivered_at: datetime | None = None
    previous_secret_until: datetime | None = None
    created_at: datetime | None = None
    waiting: int = 0
    held: int = 0
    failed: int = 0
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A new signing secret, told this once; until `previous_secret_until` the old one signs, too."""

    id: UUID
    secret: Secret
    previous_secret_until: datetime


@dataclass(frozen=True, slots=True)
class WebhookTest:
    """What came back for a `webhook.test`; `told` is the end of a sentence."""

    id: UUID
    delivered: bool
    told: str
    http_status: int | None = None
    elapsed_seconds: float | None = None
    webhook_id: str = ""
    body: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to an endpoint. `state`: `waiting`, `sending`, `held`, `delivered` or `failed`."""

    id: int
    event_id: UUID
    kind: str
    connection_id: UUID | None
    state: str
    attempt: int
    occurred_at: datetime
    due_at: datetime | None = None
    http_status: int | None = None
    reason: str | None = None
    elapsed_seconds: float | None = None
    ended_at: datetime | None = None


def create(fields: WebhookFields) -> Call[Webhook]:
    """An endpoint, which hears of what happens from now on."""
    body = as_json(fields)
    return Call(
        "POST",
        PATH,
        read=_webhook,
        here=lambda direct: _webhook(direct.webhooks.create(body)),
        body=body,
    )


def listed(organization_id: str | None, *, cursor: str | None) -> Call[Page[Webhook]]:
    """A page of endpoints."""
    read = page_of(Webhook)
    return Call(
        "GET",
        PATH,
        read=read,
        here=lambda direct: read(direct.webhooks.listed(organization_id, cursor)),
        params=page_params(cursor, organization_id=organization_id),
    )


def get(webhook_id: Id) -> Call[Webhook]:
    """An endpoint as it is."""
    id_ = _id(webhook_id)
    return Call(
        "GET",
        f"{PATH}/{id_}",
        read=_webhook,
        here=lambda direct: _webhook(direct.webhooks.get(id_)),
    )


def change(webhook_id: Id, given: WebhookChange) -> Call[Webhook]:
    """Another url, other events or another description."""
    id_, body = _id(webhook_id), as_json(given)
    return Call(
        "PATCH",
        f"{PATH}/{id_}",
        read=_webhook,
        here=lambda direct: _webhook(direct.webhooks.change(id_, body)),
        body=body,
        once=True,
    )


def delete(webhook_id: Id) -> Call[None]:
    """An endpoint that is gone, with its messages."""
    id_ = _id(webhook_id)
    return Call(
        "DELETE",
        f"{PATH}/{id_}",
        read=lambda _: None,
        here=lambda direct: direct.webhooks.delete(id_),
        once=True,
    )


def switch(webhook_id: Id, *, on: bool) -> Call[Webhook]:
    """An endpoint that is sent messages again, or none."""
    id_ = _id(webhook_id)
    return Call(
        "POST",
        f"{PATH}/{id_}/{'enable' if on else 'disable'}",
        read=_webhook,
        here=lambda direct: _webhook(direct.webhooks.switch(id_, on=on)),
        once=True,
    )


def rotate_secret(webhook_id: Id, overlap_seconds: float | None) -> Call[NewSecret]:
    """Another secret."""
    id_ = _id(webhook_id)
    return Call(
        "POST",
        f"{PATH}/{id_}/rotate-secret",
        read=lambda document: _secretive(NewSecret, document),
        here=lambda direct: _secretive(
            NewSecret, direct.webhooks.rotate_secret(id_, overlap_seconds)
        ),
        body={} if overlap_seconds is None else {"overlap_seconds": overlap_seconds},
    )


def test(webhook_id: Id) -> Call[WebhookTest]:
    """A signed `webhook.test`, now."""
    id_ = _id(webhook_id)
    return Call(
        "POST",
        f"{PATH}/{id_}/test",
        read=lambda document: made(WebhookTest, document),
        here=lambda direct: made(WebhookTest, direct.webhooks.test(id_)),
    )


def deliveries(webhook_id: Id, state: str | None, *, cursor: str | None) -> Call[Page[Delivery]]:
    """A page of an endpoint's messages."""
    id_, read = _id(webhook_id), page_of(Delivery)
    return Call(
        "GET",
        f"{PATH}/{id_}/deliveries",
        read=read,
        here=lambda direct: read(direct.webhooks.deliveries(id_, state, cursor)),
        params=page_params(cursor, state=state),
    )


def replay(webhook_id: Id, which: Replayed) -> Call[int]:
    """Messages sent again; how many."""
    id_, body = _id(webhook_id), as_json(which)
    return Call(
        "POST",
        f"{PATH}/{id_}/replay",
        read=lambda document: int(document["replayed"]),
        here=lambda direct: direct.webhooks.replay(id_, which),
        body=body,
        once=True,
    )


def _id(webhook_id: Id) -> UUID:
    return as_uuid(webhook_id, NoSuchWebhook("this"))


def _webhook(document: Mapping[str, Any]) -> Webhook:
    return _secretive(Webhook, document)


def _secretive(kind: type[T], document: Mapping[str, Any]) -> T:
    secret = document.get("secret")
    return made(kind, document if secret is None else {**document, "secret": Secret(secret)})
