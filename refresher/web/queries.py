"""The query parameters of each route; an unknown one is refused."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from refresher.rules.connection import ParkReason
from refresher.web.models import LeastLife, Needed, Text

MOST_OF_A_PAGE = 200


def _flag(value: object) -> object:
    words = {"true": True, "false": False}
    return words.get(value, "neither") if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
Cursor = Annotated[str, Field(max_length=4096)]
Limit = Annotated[int, Field(ge=1, le=MOST_OF_A_PAGE)]


class Query(BaseModel):
    """Parameters, read from texts."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ConnectionQuery(Query):
    """Which connections, and which page of them."""

    organization_id: Text | None = None
    provider: Text | None = None
    state: Literal["idle", "leased", "parked"] | None = None
    reason: ParkReason | None = Field(None, description="Only those parked for this reason.")
    external_id: Text | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class PauseQuery(Query):
    """Which pauses of a provider."""

    host: Text | None = None
    app: Text | None = None


class AnswerQuery(Query):
    """Which kept answers, and which page of them."""

    provider: Text | None = None
    connection_id: UUID | None = None
    unread: Flag = Field(default=False, description="Only those that nobody has read since.")
    cursor: Cursor | None = None
    limit: Limit = 50


class PageQuery(Query):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 50


class WebhookQuery(PageQuery):
    """Whose endpoints, and which page of them."""

    organization_id: Text | None = None


class DeliveryQuery(PageQuery):
    """Which messages, and which page of them."""

    state: Literal["waiting", "sending", "held", "delivered", "failed"] | None = None


class RecipientQuery(PageQuery):
    """Whose recipients, and which page of them."""

    organization_id: Needed | None = None
    operators: Flag = Field(default=False, description="Only who looks after refresher.")


class DeleteQuery(Query):
    """Whether the provider is told."""

    revoke: Flag = Field(default=False, description="Ask the provider to end the grant (RFC 7009).")


class TokenQuery(Query):
    """What kind of token is wanted."""

    min_ttl_seconds: LeastLife = 60.0
