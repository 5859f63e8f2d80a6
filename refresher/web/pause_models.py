"""The shapes of pauses: what is left alone for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from refresher.web.models import Shape


class Pause(Shape):
    """What is left alone for a while, since several were told the same.

    `sort`: `refused` (the app), `limited` (asked to wait), `silent` (no answer). `host` and
    `organization_id` null: whoever they are of. `probing`: its time is over, and one at a time tries.
    `told`: connections that were told so, the newest last.
    """

    provider: str
    scope: Literal["provider", "app"]
    key: str
    sort: Literal["refused", "limited", "silent"]
    app: str | None
    host: str | None
    organization_id: str | None
    reason: str
    since: datetime
    until: datetime
    left_seconds: float
    probing: bool
    refusals: int
    probes: int
    told: list[str]


class PauseList(Shape):
    """The pauses that stand."""

    items: list[Pause]


class PausesEnded(Shape):
    """The pauses that were ended, by name."""

    ended: list[str]
