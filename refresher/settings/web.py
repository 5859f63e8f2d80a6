"""Settings of the web process: the HTTP API, its keys, and what it may reach."""

from __future__ import annotations

from pydantic import BaseModel

from refresher.settings.values import Seconds


class WebSettings(BaseModel):
    """What the web process, its keys and its reach are set by; a part of `Settings`."""

    on_demand_interval_seconds: Seconds = 10.0
    """How soon after a failure, or for a token that is refused again, who asks may cause a refresh."""
