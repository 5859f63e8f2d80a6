"""Settings of notifications: the outbox, e-mail and webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from refresher.settings.values import Count, NotificationEmail, Seconds


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
    mail_spacing_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.7
    mail_timeout_seconds: Seconds = 15.0
    mail_lease_seconds: Seconds = 120.0
    mail_burst: Count = 3
    digest_interval_seconds: Seconds = 300.0
    reconnect_url: str | None = None
