"""The shapes of bodies and answers, for validation and for the OpenAPI document.

A body with an unknown field is refused. Answers are written from plain values for speed; the models
describe them, and the tests hold the two together.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from refresher.connections.revocation import Revoked
from refresher.rules.access import Scope
from refresher.rules.connection import ParkReason, Status
from refresher.rules.intake_fields import MAX_LIFETIME_SECONDS, MAX_TEXT_LENGTH, MAX_TOKEN_BYTES
from refresher.rules.providers import Rotation, Strategy

CLEAN = r"^[^\x00-\x1f\x7f-\x9f]*$"
Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH, pattern=CLEAN)]
Needed = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=CLEAN)]
Token = Annotated[str, Field(max_length=MAX_TOKEN_BYTES, pattern=r"^[\x20-\x7e]*$")]
Life = Annotated[float, Field(ge=0, le=MAX_LIFETIME_SECONDS, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)]
LeastLife = Annotated[float, Field(ge=0, le=31_622_400, allow_inf_nan=False)]
Scopes = Annotated[list[Annotated[str, Field(min_length=1, max_length=512)]], Field(max_length=500)]


class Body(BaseModel):
    """What a client sends. No unknown fields; an error never repeats what was given."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @classmethod
    def refuse(cls, given: object) -> None:
        """Raises a `RefresherError` for what is worth another sentence than "no such field"."""


class Shape(BaseModel):
    """What we send. Clients should expect further members in later versions."""


class TokenWish(Body):
    """What kind of token is wanted."""

    min_ttl_seconds: LeastLife = Field(60.0, description="The life that it must have left.")
    rejected: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = Field(
        None, description="The fingerprint of a token that the resource server refused (401)."
    )
    wait_seconds: Wait = Field(20.0, description="How long a refresh may be waited for.")


class RefreshWish(Body):
    """How long to wait for the end of the refresh."""

    wait_seconds: Wait = 20.0


class AppBody(Body):
    """Our OAuth client at a provider."""

    provider: Needed
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "default"
    client_id: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$")]
    client_secret: (
        Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$")] | None
    ) = Field(description="Never shown again. null: a public client.")


class Connection(Shape):
    """A connection without its tokens. `note`: what the call did not do, and why."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    name: str | None
    app: str
    host: str | None
    placeholders: dict[str, str] | None = Field(
        description="Its values for the provider's placeholders, such as a tenant."
    )
    root_id: UUID | None = Field(description="The connection whose grant this one shares.")
    status: Status
    status_cause: str | None
    state: Literal["idle", "leased", "parked", "none"]
    due_at: datetime | None
    parked_reason: ParkReason | None
    attempt: int
    expires_at: datetime | None
    lifetime_seconds: float | None
    refresh_token_expires_at: datetime | None
    credential_version: int
    scopes: list[str] = Field(
        description="Those asked for, which `send_scope` sends; the granted ones where nobody told."
    )
    granted_scopes: list[str] | None = Field(description="null: no answer has told yet.")
    missing_scopes: list[str] = Field(description="Asked for, and not granted.")
    kept_fields: dict[str, str | int | float | bool] | None = Field(
        description="The provider's `keep_fields`, without those that are secrets."
    )
    in_between_steps: bool
    metadata: dict[str, Any]
    paused_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    note: str | None


class ConnectionPage(Shape):
    """A page of connections; `next_cursor` null on the last one."""

    items: list[Connection]
    next_cursor: str | None


class RevocationResult(Shape):
    """What the provider said to the end of the grant (RFC 7009)."""

    outcome: Revoked
    http_status: int | None
    reason: str | None


class Deleted(Shape):
    """The connection that is gone; `revocation` null when none was asked for."""

    id: UUID
    deleted: Literal[True]
    revocation: RevocationResult | None


class AccessToken(Shape):
    """A valid access token. `stale`: it is less fresh than was asked, and `reason` says why.

    `scopes` are those granted, or asked for where no answer told.
    """

    access_token: str
    token_type: str
    expires_at: datetime | None
    expires_in_seconds: float | None
    scopes: list[str]
    credential_version: int
    fingerprint: str
    stale: bool
    reason: str | None
    kept_fields: dict[str, str | int | float | bool] = Field(
        description="Fields that came with the token: the provider's `keep_fields`, such as "
        "Salesforce's `instance_url`. Treat them as the token."
    )


class Refreshed(Shape):
    """How one refresh ended, such as `refreshed`, `transient` or `revoked`."""

    outcome: str
    by_us: bool = Field(description="False: another process was at it already.")
    reason: str | None
    http_status: int | None
    elapsed_seconds: float | None


class Event(Shape):
    """Something that happened to a connection."""

    id: int
    connection_id: UUID
    occurred_at: datetime
    kind: str
    lease_token: int | None
    credential_version: int | None
    attempt: int | None
    http_status: int | None
    elapsed_seconds: float | None
    lateness_seconds: float | None
    expired_seconds: float | None
    reason: str | None
    next_due_at: datetime | None


class EventPage(Shape):
    """Events, the newest first; `next_cursor` leads to older ones."""

    items: list[Event]
    next_cursor: str | None


class ProviderShape(Shape):
    """What is known of a provider."""

    name: str
    title: str
    origin: Literal["built-in", "file"]
    strategy: Strategy
    token_url: str
    revocation_url: str | None
    needs_app: bool
    needs_host: bool
    rotation: Rotation
    reuse_grace_seconds: float
    access_token_lifetime_seconds: float | None
    refresh_token_lifetime_seconds: float | None
    checked_on: date | None
    sources: list[str]


class ProviderList(Shape):
    """The catalogue."""

    items: list[ProviderShape]


class App(Shape):
    """An app, without its secret. `paused_until`: the provider refuses it."""

    provider: str
    name: str
    client_id: str
    has_secret: bool
    paused_until: datetime | None
    pause_reason: str | None
    updated_at: datetime


class AppList(Shape):
    """Our OAuth clients."""

    items: list[App]


class Stats(Shape):
    """How many connections are in which state. 10,001 means "more than 10,000".

    `expired` counts dead tokens that are to be refreshed: none of what is parked.
    """

    connections: int
    states: dict[str, int]
    parked: dict[str, int]
    overdue: int
    expired: int
    reconnect_required: int


class WhoAmI(Shape):
    """The API key that asks. `organization_id` null: every organization."""

    key_id: str
    name: str
    organization_id: str | None
    scopes: list[Scope]
    expires_at: datetime | None


class FieldError(Shape):
    """One thing that is wrong with a body or a query."""

    field: str
    message: str


class ProblemDetails(Shape):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    reason: str | None = None
    retry_after_seconds: float | None = None
    errors: list[FieldError] | None = None
