"""Settings of what people see: events, metrics, logs, traces."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field


class ObservingSettings(BaseModel):
    """What people see is set by; a part of `Settings`."""

    event_retention_days: Annotated[int, Field(ge=1, le=1_000)] = 90
