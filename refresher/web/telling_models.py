"""The shapes of who is told: webhook endpoints and their messages, recipients, organizations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from refresher.rules.mails import Choice
from refresher.rules.notices import Kind
from refresher.web.models import CLEAN, Body, Needed, Shape

WebUrl = Annotated[str, Field(min_length=1, max_length=2_048, pattern=r"^[\x21-\x7e]+$")]
Filter = Annotated[str, Field(pattern=r"^[a-z_.*]{1,100}$")]
Filters = Annotated[list[Filter], Field(min_length=1, max_length=100)]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=CLEAN)]
YEAR = 366 * 86_400.0
Overlap = Annotated[float, Field(ge=0, le=YEAR, allow_inf_nan=False)]
OWNER = "Left out: that of the API key. null with a key for all organizations: the operators'."


class WebhookBody(Body):
    """An endpoint that is to be told."""

    url: WebUrl = Field(description="Where to POST: https, and no private address.")
    events: Filters = Field(description="Kinds such as connection.recovered, connection.* or *.")
    organization_id: Needed | None = Field(None, description=OWNER)
    description: Label | None = None


class WebhookChange(Body):
    """What may be changed of an endpoint; what is left out stays."""

    url: WebUrl = Field(default_factory=str)
    events: Filters = Field(default_factory=list)
    description: Label | None = None


class RotationWish(Body):
    """How long the secret before signs as well."""

    overlap_seconds: Overlap | None = Field(
        None, description="Left out: REFRESHER_WEBHOOK_SECRET_OVERLAP_SECONDS, a day by default."
    )


class ReplayWish(Body):
    """Which messages are sent again: all that these, taken together, describe. One is needed."""

    event_id: UUID | None = Field(None, description="This event: the webhook-id of its message.")
    since: AwareDatetime | None = Field(None, description="Events from this instant on.")
    until: AwareDatetime | None = Field(None, description="Events before this instant.")
    only_failed: bool = Field(default=False, description="What was given up, not what arrived.")


class Webhook(Shape):
    """An endpoint without its secrets; `organization_id` null: an operator's, which hears of all."""

    id: UUID
    organization_id: str | None
    url: str
    description: str | None
    events: list[str]
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    paused_until: datetime | None
    delivered_at: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    waiting: int = Field(description="Messages that are to be sent.")
    held: int = Field(description="Messages that are kept until it is enabled.")
    failed: int = Field(description="Messages that were given up.")


class NewWebhook(Webhook):
    """An endpoint and its secret, which is shown this once."""

    secret: str = Field(description="Verifies what we send (Standard Webhooks).")


class EnabledWebhook(Webhook):
    """An endpoint that is sent messages again."""

    released: int = Field(description="Messages that were held for it and are due now.")


class WebhookPage(Shape):
    """A page of endpoints; `next_cursor` null on the last one."""

    items: list[Webhook]
    next_cursor: str | None


class NewSecret(Shape):
    """A new secret, which is shown this once."""

    id: UUID
    secret: str
    previous_secret_until: datetime = Field(description="Until then the one before signs as well.")


class TestDelivery(Shape):
    """What came back for a `webhook.test`; nothing of it is stored or counted."""

    id: UUID
    delivered: bool
    told: str = Field(description="What happened, as the end of a sentence.")
    http_status: int | None
    elapsed_seconds: float
    webhook_id: str = Field(description="The header of this name.")
    body: str = Field(description="What was sent.")


class Delivery(Shape):
    """One message to one endpoint."""

    id: int
    event_id: UUID
    kind: str
    connection_id: UUID | None
    state: Literal["waiting", "sending", "held", "delivered", "failed"]
    attempt: int
    due_at: datetime | None
    http_status: int | None
    reason: str | None
    elapsed_seconds: float | None
    occurred_at: datetime
    ended_at: datetime | None


class DeliveryPage(Shape):
    """Messages, the newest first; `next_cursor` leads to older ones."""

    items: list[Delivery]
    next_cursor: str | None


class Replayed(Shape):
    """How many messages are due again."""

    id: UUID
    replayed: int


class Removed(Shape):
    """What is gone."""

    id: UUID
    deleted: Literal[True]


class RecipientBody(Body):
    """Somebody who is to be told by mail."""

    address: Annotated[str, Field(min_length=3, max_length=320, pattern=CLEAN)]
    organization_id: Needed | None = Field(None, description=OWNER)
    choices: dict[Kind, Choice] = Field(
        default_factory=dict, description="How each kind is told, where not as usual."
    )


class Choices(Body):
    """How kinds are told; null goes back to what holds for everybody, the rest stays."""

    choices: dict[Kind, Choice | None]


class RecipientShape(Shape):
    """Somebody who is told by mail; `organization_id` null: an operator."""

    id: UUID
    organization_id: str | None
    address: str
    choices: dict[str, Choice]
    blocked_at: datetime | None = Field(description="A mail server said there is no such address.")
    blocked_reason: str | None


class RecipientPage(Shape):
    """A page of recipients; `next_cursor` null on the last one."""

    items: list[RecipientShape]
    next_cursor: str | None


class OrganizationBody(Body):
    """What messages say of an organization, as a whole; null or left out is forgotten."""

    name: Label | None = Field(None, description="As people know it.")
    reconnect_url: WebUrl | None = Field(
        None,
        description="Your page on which a person connects again, with {external_id}, "
        "{connection_id}, {provider} or {organization_id} in it. null: REFRESHER_RECONNECT_URL.",
    )


class OrganizationShape(Shape):
    """What messages know of an organization."""

    id: str
    name: str | None
    reconnect_url: str | None


class OrganizationPage(Shape):
    """A page of organizations; `next_cursor` null on the last one."""

    items: list[OrganizationShape]
    next_cursor: str | None
