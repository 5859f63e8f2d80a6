"""Settings of notifications: the outbox, e-mail and webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from refresher.settings.values import Count, NotificationEmail, Seconds, WebhookDelivery


class NotifyingSettings(BaseModel):
    """What notifications are set by; a part of `Settings`."""

    notification_email: NotificationEmail = NotificationEmail()

    mail_transport: Literal["console", "smtp", "http"] = "console"
    mail_from: str = "refresher <refresher@localhost>"
    mail_smtp_url: SecretStr | None = None
    mail_http_url: str | None = None
    mail_http_key: SecretStr | None = None
    mail_templates: Path | None = None
    mail_unsubscribe_url: str | None = None
    recipient_domains: Annotated[tuple[str, ...], NoDecode] = ()
    """Where recipients may be that are added by API; none: anywhere."""
    mail_spacing_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.7
    mail_timeout_seconds: Seconds = 15.0
    mail_lease_seconds: Seconds = 120.0
    mail_burst: Count = 3
    digest_interval_seconds: Seconds = 300.0
    reconnect_url: str | None = None

    webhook_delivery: WebhookDelivery = WebhookDelivery()
    webhook_total_seconds: Seconds = 15.0
    webhook_lease_seconds: Seconds = 60.0
    webhook_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    webhook_organization_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 32
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

    @field_validator("recipient_domains", mode="before")
    @classmethod
    def _split_domains(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(domain.strip().lower() for domain in value.split(",") if domain.strip())
