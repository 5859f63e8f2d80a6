"""The routes of webhook endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from refresher.rules.access import Scope
from refresher.web import webhooks
from refresher.web.call import Answer, Call, Route, always
from refresher.web.queries import DeliveryQuery, WebhookQuery
from refresher.web.state import State
from refresher.web.telling_models import (
    DeliveryPage,
    EnabledWebhook,
    NewSecret,
    NewWebhook,
    Removed,
    Replayed,
    ReplayWish,
    RotationWish,
    TestDelivery,
    Webhook,
    WebhookBody,
    WebhookChange,
    WebhookPage,
)

ALL = "/v1/webhooks"
ONE = f"{ALL}/{{webhook_id}}"
TAGS = ("webhooks",)


def _deed(
    word: str,
    handler: Callable[[State, Call], Answer],
    summary: str,
    answer: type[BaseModel],
    **more: Any,
) -> Route:
    return Route(
        "POST", f"{ONE}/{word}", handler, summary, Scope.WRITE, {200: answer}, tags=TAGS, **more
    )


ROUTES = (
    Route(
        "GET",
        ALL,
        webhooks.list_,
        "List webhook endpoints",
        Scope.READ,
        {200: WebhookPage},
        query=WebhookQuery,
        problems=("invalid_cursor",),
        tags=TAGS,
    ),
    Route(
        "POST",
        ALL,
        webhooks.create,
        "Create a webhook endpoint",
        Scope.WRITE,
        {201: NewWebhook},
        description="It is sent what happens from now on. `secret` verifies its messages and is "
        "shown this once; so this takes no Idempotency-Key, for what it answers is not kept.",
        body=WebhookBody,
        waits=always,
        problems=("invalid_webhook", "organization_mismatch", "quota_reached"),
        tags=TAGS,
    ),
    Route(
        "GET", ONE, webhooks.show, "Show a webhook endpoint", Scope.READ, {200: Webhook}, tags=TAGS
    ),
    Route(
        "PATCH",
        ONE,
        webhooks.change,
        "Change url, events or description",
        Scope.WRITE,
        {200: Webhook},
        description="What waits goes to the new url.",
        body=WebhookChange,
        waits=lambda call: "url" in call.body.model_fields_set,
        idempotent=True,
        problems=("invalid_webhook",),
        tags=TAGS,
    ),
    Route(
        "DELETE",
        ONE,
        webhooks.delete,
        "Delete a webhook endpoint",
        Scope.WRITE,
        {200: Removed},
        description="With its messages: those that wait for it are never sent.",
        idempotent=True,
        tags=TAGS,
    ),
    _deed(
        "enable",
        webhooks.enable,
        "Enable a webhook endpoint",
        EnabledWebhook,
        description="What was held for it meanwhile goes out, in its order.",
        idempotent=True,
    ),
    _deed(
        "disable",
        webhooks.disable,
        "Disable a webhook endpoint",
        Webhook,
        description="What happens meanwhile is held for it.",
        idempotent=True,
    ),
    _deed(
        "rotate-secret",
        webhooks.rotate_secret,
        "Make a new signing secret",
        NewSecret,
        description="For a while messages carry both signatures. The secret is shown this once; so "
        "this takes no Idempotency-Key.",
        body=RotationWish,
        body_required=False,
    ),
    _deed(
        "test",
        webhooks.send_test,
        "Send a test message",
        TestDelivery,
        description="A signed `webhook.test`, now, whatever the filters, also to a disabled one.",
        waits=always,
    ),
    Route(
        "GET",
        f"{ONE}/deliveries",
        webhooks.deliveries,
        "List an endpoint's messages",
        Scope.READ,
        {200: DeliveryPage},
        query=DeliveryQuery,
        problems=("invalid_cursor",),
        tags=TAGS,
    ),
    _deed(
        "replay",
        webhooks.replay,
        "Send messages again",
        Replayed,
        description="With their old ids and in their old order, delivered ones as well.",
        body=ReplayWish,
        idempotent=True,
        problems=("no_such_event", "webhook_disabled"),
    ),
)
