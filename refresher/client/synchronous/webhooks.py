# Made of asynchronous/webhooks.py by `make client`: change that one.
"""`refresher.webhooks`: who is told by webhook. docs/webhooks.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack
from uuid import UUID

from refresher.client import endpoints
from refresher.client.endpoints import (
    Delivery,
    NewSecret,
    Replayed,
    Webhook,
    WebhookChange,
    WebhookFields,
    WebhookTest,
)
from refresher.client.opened import Part


class Webhooks(Part):
    """Webhook endpoints. Where there is none: `NoSuchWebhook`; what cannot be one: `InvalidWebhook`."""

    def create(self, **fields: Unpack[WebhookFields]) -> Webhook:
        """Makes an endpoint, which is sent what happens from now on.

        Its `secret` verifies what is sent, and is told this once: see `verify_webhook`.
        """
        return self._run(endpoints.create(fields))

    def list(self, *, organization_id: str | None = None) -> Iterator[Webhook]:
        """Yields endpoints, of one organization or all that the key may know."""
        return self._pages(lambda cursor: endpoints.listed(organization_id, cursor=cursor))

    def get(self, webhook_id: UUID | str) -> Webhook:
        """Returns an endpoint, with how many messages wait for it."""
        return self._run(endpoints.get(webhook_id))

    def change(self, webhook_id: UUID | str, **change: Unpack[WebhookChange]) -> Webhook:
        """Changes `url`, `events` and `description`, those that are given; what waits goes there."""
        return self._run(endpoints.change(webhook_id, change))

    def delete(self, webhook_id: UUID | str) -> None:
        """Deletes an endpoint with its messages: those that wait for it are never sent."""
        self._run(endpoints.delete(webhook_id))

    def disable(self, webhook_id: UUID | str) -> Webhook:
        """Sends an endpoint nothing until it is enabled; what happens meanwhile is held for it."""
        return self._run(endpoints.switch(webhook_id, on=False))

    def enable(self, webhook_id: UUID | str) -> Webhook:
        """Sends it messages again, first what was held for it, in its order."""
        return self._run(endpoints.switch(webhook_id, on=True))

    def rotate_secret(
        self, webhook_id: UUID | str, *, overlap_seconds: float | None = None
    ) -> NewSecret:
        """Makes a new secret, told this once; for `overlap_seconds` (a day) the old one signs, too."""
        return self._run(endpoints.rotate_secret(webhook_id, overlap_seconds))

    def test(self, webhook_id: UUID | str) -> WebhookTest:
        """Sends a signed `webhook.test` now, and returns what came back."""
        return self._run(endpoints.test(webhook_id))

    def deliveries(self, webhook_id: UUID | str, *, state: str | None = None) -> Iterator[Delivery]:
        """Yields the messages of an endpoint, the newest first; `state="failed"`: those given up."""
        return self._pages(lambda cursor: endpoints.deliveries(webhook_id, state, cursor=cursor))

    def replay(self, webhook_id: UUID | str, **which: Unpack[Replayed]) -> int:
        """Sends messages again, delivered ones as well, in their old order; returns how many.

        Raises `Conflict` where the endpoint is disabled: enable it first.
        """
        return self._run(endpoints.replay(webhook_id, which))
