"""Settings of notifications: the outbox, e-mail and webhooks."""

from __future__ import annotations

from pydantic import BaseModel


class NotifyingSettings(BaseModel):
    """What notifications are set by; a part of `Settings`."""
