"""How what an installation keeps in Redis is called: everything of it begins with its name."""

from __future__ import annotations

from uuid import UUID

PREFIX = "refresher:"


def namespace(installation: UUID) -> str:
    """Returns what the names of its keys begin with, without the colon behind it."""
    return f"{PREFIX}{installation.hex}"
