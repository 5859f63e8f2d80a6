"""Settings of what people see: events, metrics, logs, traces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from refresher.settings.values import Seconds


class ObservingSettings(BaseModel):
    """What people see is set by; a part of `Settings`."""

    event_retention_days: Annotated[int, Field(ge=1, le=1_000)] = 90
    answer_retention_days: Annotated[int, Field(ge=1, le=1_000)] = 30
    metrics: bool = True
    metrics_gauges: Literal["auto", "on", "off"] = "auto"
    metrics_cache_seconds: Seconds = 5.0
    status_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where status and metrics stand apart from PORT; 0: they stay there, as far as they may."""
    status_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """What opens status and metrics, wherever they stand: `Authorization: Bearer` and this."""
    traces: Literal["off", "otlp"] = "off"
    sentry_dsn: SecretStr | None = None
    sentry_environment: str = "production"
