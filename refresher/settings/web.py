"""Settings of the web process: the HTTP API, its keys, and what it may reach."""

from __future__ import annotations

from pydantic import BaseModel


class WebSettings(BaseModel):
    """What the web process, its keys and its reach are set by; a part of `Settings`."""
