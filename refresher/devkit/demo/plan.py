"""What a demo is asked to do, checked: each impossible wish is one sentence that names its option."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refresher.errors import RefresherError, SettingsError

MOST_CONNECTIONS = 100_000
LIFETIME_SECONDS = (5.0, 3_600.0)
MOST_SECONDS = 86_400.0
KILL_GRACE_SECONDS = 30.0
"""With --kill the provider accepts a spent refresh token again for so long, as many real ones do."""


class DemoFailed(RefresherError):
    """One of the demo's processes did not do its part."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A demo's options. `directory` None means a temporary one that is removed at the end."""

    connections: int = 200
    lifetime_seconds: float = 20.0
    seconds: float = 60.0
    kill: bool = False
    seed: int = 1
    directory: Path | None = None
    with_notifications: bool = False
    with_connect: bool = False

    @property
    def grace_seconds(self) -> float:
        """How long the provider forgives a refresh token that comes twice: not at all, by default.

        After kill -9 nobody can know whether an answer was on its way, so the same token is presented
        again. A provider that forgives nothing would end that grant, whatever we did.
        """
        return KILL_GRACE_SECONDS if self.kill else 0.0

    @property
    def interrupted_after_seconds(self) -> float:
        """When the scheduler is stopped and started again: half-way."""
        return self.seconds / 2


def check(plan: Plan) -> Plan:
    """Returns the plan; raises `SettingsError` with one sentence for a wish that cannot be met."""
    (low, high), life = LIFETIME_SECONDS, plan.lifetime_seconds
    if not 1 <= plan.connections <= MOST_CONNECTIONS:
        raise SettingsError(
            f"--connections is {plan.connections}: give a number from 1 to {MOST_CONNECTIONS:,}"
        )
    if not low <= life <= high:
        raise SettingsError(
            f"--lifetime is {life:g}: give {low:g} to {high:g} seconds (a shorter life leaves no "
            "time to restart a process within it)"
        )
    if not life <= plan.seconds <= MOST_SECONDS:
        raise SettingsError(
            f"--seconds is {plan.seconds:g}: give at least one lifetime ({life:g}), so that every "
            f"token is refreshed, and {MOST_SECONDS:g} at most"
        )
    if not 0 <= plan.seed < 2**32:
        raise SettingsError(f"--seed is {plan.seed}: give a number from 0 to {2**32 - 1}")
    return plan
