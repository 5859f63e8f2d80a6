"""Settings of what people see: events, metrics, logs, traces."""

from __future__ import annotations

from pydantic import BaseModel


class ObservingSettings(BaseModel):
    """What people see is set by; a part of `Settings`."""
