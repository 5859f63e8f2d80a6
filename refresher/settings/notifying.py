"""Settings of notifications: the outbox, e-mail and webhooks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from refresher.settings.values import Count, Seconds, WebhookDelivery


class NotifyingSettings(BaseModel):
    """What notifications are set by; a part of `Settings`."""

    webhook_delivery: WebhookDelivery = WebhookDelivery()
    webhook_total_seconds: Seconds = 15.0
    webhook_lease_seconds: Seconds = 60.0
    webhook_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    webhook_max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    webhook_retry_first_seconds: Seconds = 5.0
    webhook_retry_coefficient: Annotated[float, Field(ge=1, le=10)] = 4.0
    webhook_retry_max_seconds: Seconds = 14_400.0
    webhook_give_up_after_seconds: Seconds = 86_400.0
    webhook_breaker_failures: Count = 5
    webhook_breaker_pause_seconds: Seconds = 30.0
    webhook_breaker_max_seconds: Seconds = 600.0
    webhook_secret_overlap_seconds: Seconds = 86_400.0
    webhook_keep_days: Annotated[float, Field(gt=0, le=3_660)] = 30.0
