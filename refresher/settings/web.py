"""Settings of the web process: the HTTP API, its keys, and what it may reach."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from refresher.settings.values import Seconds


class WebSettings(BaseModel):
    """What the web process, its keys and its reach are set by; a part of `Settings`."""

    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    web_threads: Annotated[int, Field(ge=1, le=128)] = 8
    api_requests_per_second: Annotated[float, Field(ge=0.1, le=1_000_000)] = 1_000.0
    api_max_body_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 262_144
    on_demand_interval_seconds: Seconds = 10.0
    """How soon after a failure, or for a token that is refused again, who asks may cause a refresh."""
