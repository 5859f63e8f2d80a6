"""What providers have announced, told in time to whoever uses them.

Ninety days ahead; and for thirty days more, for who looks for the cause of new trouble then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from refresher.rules.facts import Change
from refresher.rules.providers import Provider

AHEAD_DAYS = 90
AFTER_DAYS = 30


@dataclass(frozen=True, slots=True)
class Announced:
    """A change of a provider that is near; `left_days` is negative once it holds."""

    provider: str
    change: Change
    left_days: int

    @property
    def sentence(self) -> str:
        """Says what changes, and when."""
        on, what = self.change.on.isoformat(), self.change.what
        return f"{self.provider} {_when(self.left_days)} ({on}): {what}"


def announced(providers: Iterable[Provider], today: date) -> list[Announced]:
    """Returns the changes of these providers that are to be told today, the soonest first."""
    found = [
        Announced(provider.name, change, (change.on - today).days)
        for provider in providers
        for change in provider.changes
    ]
    near = [one for one in found if -AFTER_DAYS <= one.left_days <= AHEAD_DAYS]
    return sorted(near, key=lambda one: (one.left_days, one.provider))


def _when(left_days: int) -> str:
    if left_days == 0:
        return "changes today"
    distance = "1 day" if abs(left_days) == 1 else f"{abs(left_days)} days"
    return f"changes in {distance}" if left_days > 0 else f"changed {distance} ago"
