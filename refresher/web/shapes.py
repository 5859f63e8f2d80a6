"""What clients send: bodies and query parameters. What they are answered are the store's own values.

An unknown field or parameter is refused, and an error never repeats what was given.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from refresher.rules.handed_error import refuse_error
from refresher.rules.intake_fields import (
    MAX_LIFETIME_SECONDS,
    MAX_TEXT_LENGTH,
    MAX_TOKEN_BYTES,
)
from refresher.rules.mails import Choice
from refresher.rules.notices import Kind
from refresher.store.replays import DeliveryState

CLEAN = r"^[^\x00-\x1f\x7f-\x9f]*$"
YEAR = 366 * 86_400.0
MOST_OF_A_PAGE = 200


def _no_number(given: object) -> object:
    """Refuses a number where an instant is wanted: whether it counts seconds is anybody's guess."""
    if not isinstance(given, str | datetime):
        raise PydanticCustomError("datetime_type", "it is no instant")
    return given


def _flag(given: object) -> object:
    words = {"true": True, "false": False}
    return words.get(given, "neither") if isinstance(given, str) else given


Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH, pattern=CLEAN)]
Needed = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=CLEAN)]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=CLEAN)]
Token = Annotated[str, Field(max_length=MAX_TOKEN_BYTES, pattern=r"^[\x20-\x7e]*$")]
Visible = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$")]
WebUrl = Annotated[str, Field(min_length=1, max_length=2_048, pattern=r"^[\x21-\x7e]+$")]
Life = Annotated[float, Field(strict=True, ge=0, le=MAX_LIFETIME_SECONDS, allow_inf_nan=False)]
Wait = Annotated[float, Field(strict=True, ge=0, le=60, allow_inf_nan=False)]
LeastLife = Annotated[float, Field(ge=0, le=31_622_400, allow_inf_nan=False)]
Overlap = Annotated[float, Field(strict=True, ge=0, le=YEAR, allow_inf_nan=False)]
Yes = Annotated[bool, Field(strict=True)]
Scopes = Annotated[list[Annotated[str, Field(min_length=1, max_length=512)]], Field(max_length=500)]
ScopeText = Annotated[str, Field(max_length=16_384)]
Filter = Annotated[str, Field(pattern=r"^[a-z_.*]{1,100}$")]
Filters = Annotated[list[Filter], Field(min_length=1, max_length=100)]
Instant = Annotated[AwareDatetime, BeforeValidator(_no_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Cursor = Annotated[str, Field(max_length=4096)]
Limit = Annotated[int, Field(ge=1, le=MOST_OF_A_PAGE)]


class Given(BaseModel):
    """What a client sends, as a body or as parameters."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Owned(Given):
    """What may be made for an organization, or for the operators."""

    organization_id: Needed | None = Field(
        None,
        description="Left out: that of the API key. null with a key for all organizations: the "
        "operators'.",
    )


class TokenWish(Given):
    """What kind of token is wanted."""

    slot: Needed | None = Field(None, description="The name of a token beside the main one.")

    min_ttl_seconds: Annotated[LeastLife, Field(strict=True)] = Field(
        60.0, description="The life that it must have left."
    )
    rejected: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = Field(
        None, description="The fingerprint of a token that the resource server refused (401)."
    )
    wait_seconds: Wait = Field(20.0, description="How long a refresh may be waited for.")


class RefreshWish(Given):
    """How long to wait for the end of the refresh."""

    wait_seconds: Wait = 20.0


class Registration(Given):
    """A connection after the OAuth dance, the same fields as one line of an import.

    Registering it again with tokens is a reconnect: it updates, wins over a refresh in flight and
    resumes a parked connection. Without tokens it is an update, which changes neither expiry nor state.
    What is absent keeps what is stored.
    """

    organization_id: Text | None = Field(None, description="Left out: that of the API key.")
    provider: Needed
    external_id: Needed
    answer: dict[str, Any] | None = Field(
        None,
        description="The provider's token answer as it came, instead of the five fields below. An "
        "error answer is refused.",
    )
    access_token: Token | None = None
    refresh_token: Token | None = None
    expires_in: Life | None = None
    expires_at: Annotated[datetime, BeforeValidator(_no_number)] | None = Field(
        None, description="With its offset; or give expires_in."
    )
    refresh_token_expires_in: Life | None = Field(None, description="0: no known end.")
    scopes: Scopes | ScopeText | None = Field(None, description="Those asked for.")
    granted_scopes: Scopes | ScopeText | None = Field(
        None, description="Those granted, where no `answer` tells them."
    )
    name: Text | None = None
    app: Text | None = None
    host: Text | None = None
    placeholders: dict[str, Text] | None = Field(
        None, description='Values of the provider\'s placeholders: `{"tenant": "acme"}`.'
    )
    root_external_id: Text | None = None
    slots: dict[str, dict[str, Any]] | None = Field(
        None, description="Tokens beside the main one, where no `answer` brings them."
    )
    in_between_steps: Yes | None = None
    metadata: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def refuse(cls, given: Any) -> Any:
        """Refuses the error of a provider, which an application took for tokens."""
        if isinstance(given, dict):
            refuse_error(given)
        return given


class ConnectionChange(Given):
    """What may be changed of a connection; what is left out stays."""

    name: Text | None = None
    metadata: dict[str, Any] | None = Field(None, description="Replaces the whole of it.")
    scopes: Scopes | None = None


class WebhookBody(Owned):
    """An endpoint that is to be told."""

    url: WebUrl = Field(description="Where to POST: https, and no private address.")
    events: Filters = Field(description="Kinds such as connection.recovered, connection.* or *.")
    description: Label | None = None


class WebhookChange(Given):
    """What may be changed of an endpoint; what is left out stays."""

    url: WebUrl = Field(default_factory=str)
    events: Filters = Field(default_factory=list)
    description: Label | None = None


class RotationWish(Given):
    """How long the secret before signs as well."""

    overlap_seconds: Overlap | None = Field(
        None, description="Left out: REFRESHER_WEBHOOK_SECRET_OVERLAP_SECONDS, a day by default."
    )


class ReplayWish(Given):
    """Which messages are sent again: all that these, taken together, describe. One is needed."""

    event_id: UUID | None = Field(None, description="This event: the webhook-id of its message.")
    since: Instant | None = Field(None, description="Events from this instant on.")
    until: Instant | None = Field(None, description="Events before this instant.")
    only_failed: Yes = Field(default=False, description="What was given up, not what arrived.")


class RecipientBody(Owned):
    """Somebody who is to be told by mail."""

    address: Annotated[str, Field(min_length=3, max_length=320, pattern=CLEAN)]
    choices: dict[Kind, Choice] = Field(
        default_factory=dict, description="How each kind is told, where not as usual."
    )


class Choices(Given):
    """How kinds are told; null goes back to what holds for everybody, the rest stays."""

    choices: dict[Kind, Choice | None]


class RereadBody(Given):
    """Whose answers to read again."""

    provider: Needed


class TokenQuery(Given):
    """What kind of token is wanted."""

    slot: Needed | None = Field(None, description="The name of a token beside the main one.")
    min_ttl_seconds: LeastLife = 60.0


class PageQuery(Given):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 50


class DeleteQuery(Given):
    """Whether the provider is told."""

    revoke: Flag = Field(default=False, description="Ask the provider to end the grant (RFC 7009).")


class WebhookQuery(PageQuery):
    """Whose endpoints, and which page of them."""

    organization_id: Text | None = None


class DeliveryQuery(PageQuery):
    """Which messages, and which page of them."""

    state: DeliveryState | None = None


class RecipientQuery(PageQuery):
    """Whose recipients, and which page of them."""

    organization_id: Needed | None = None
    operators: Flag = Field(default=False, description="Only who looks after refresher.")


class PauseQuery(Given):
    """Which pauses of a provider."""

    host: Text | None = None
    app: Text | None = None


class ProviderQuery(Given):
    """Which providers."""

    search: Text | None = Field(
        default=None, description="A name or some of it, a category or a server; likeliest first."
    )
    category: Text | None = None


class HistoryQuery(Given):
    """Which hours, and of whom."""

    hours: float = Field(
        default=6.0, ge=1.0, le=720.0, description="So many hours back, in 120 points."
    )
    provider: Text | None = Field(default=None, description="Of this provider alone.")


class AnswerQuery(PageQuery):
    """Which kept answers, and which page of them."""

    provider: Text | None = None
    connection_id: UUID | None = None
    unread: Flag = Field(default=False, description="Only those that nobody has read since.")
