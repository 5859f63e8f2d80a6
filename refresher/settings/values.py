"""The types of settings: durations in seconds, shares, counts, and what every flow has."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Queue = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=80)]


def _not_reserved(schema: str) -> str:
    if schema.startswith("pg_") or schema == "information_schema":
        raise ValueError("PostgreSQL keeps such names for itself")
    return schema


Schema = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]*$", max_length=63),
    AfterValidator(_not_reserved),
]
PREFIX = "REFRESHER_"


class Flow(BaseModel):
    """How one flow runs: where its actors live, on which queue, and whether at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transport: Literal["in_process", "redis"] = "redis"
    queue: Queue
    enabled: bool = True


class IntegrationRefresh(Flow):
    """The flow that refreshes tokens."""

    queue: Queue = "integration_refresh"


class NotificationEmail(Flow):
    """The flow that sends notices by mail: few messages, so the scheduler can send them itself."""

    transport: Literal["in_process", "redis"] = "in_process"
    queue: Queue = "notification_email"


class WebhookDelivery(Flow):
    """The flow that sends webhooks; by default the scheduler sends them itself, on threads apart."""

    transport: Literal["in_process", "redis"] = "in_process"
    queue: Queue = "webhook_delivery"
