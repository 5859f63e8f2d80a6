"""Follows each loss that a fault without grace may cause: in flight or not, told in time or not.

Lost accounts are connected again at once, so that the next fault finds everybody at work.
"""

from __future__ import annotations

from typing import Any

from tests.chaos.deployment import Deployment
from tests.chaos.recovery import Moment
from tests.chaos.referee import held, was_in_flight

TOLD_WITHIN_SECONDS = 5.0
SLACK_SECONDS = 1.0
"""An answer may have left the provider this long before the fault, and wait in our socket."""


class Losses:
    """The losses of one deployment, and those among them that break the promise."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.told_after: list[float] = []
        self.broken: list[str] = []

    def examine(self, fault: Moment) -> None:
        """Judges what `fault` lost, once everything in flight has its outcome; reconnects it."""
        gone = self._deployment.rows(_GONE, since=fault.at)
        if not gone:
            return
        names = {row.external_id for row in gone}
        stored = {pair.external_id: pair for pair in held(self._deployment)}
        books = {g.external_id: g for g in self._deployment.provider.grants()}
        at = fault.at.timestamp()
        for row in gone:
            name = row.external_id
            if not was_in_flight(books[name], stored[name], at - SLACK_SECONDS, at + SLACK_SECONDS):
                self.broken.append(f"{name} was lost although no reply was in flight")
            self._judge_telling(row)
        self._deployment.reconnect(sorted(names))

    def _judge_telling(self, row: Any) -> None:
        self.told_after.append(float(row.after_seconds))
        if row.status_cause != "interrupted":
            self.broken.append(f"{row.external_id} was told as {row.status_cause}")
        if row.after_seconds > TOLD_WITHIN_SECONDS:
            self.broken.append(f"{row.external_id} was told after {row.after_seconds:.1f} s")


_GONE = """
    select c.external_id, c.status_cause,
        extract(epoch from max(e.occurred_at) - cast(:since as timestamptz))::float8 as after_seconds
    from connection c join refresh_event e on e.connection_id = c.id and e.kind = 'revoked'
    where c.status = 'reconnect_required' group by c.id
"""
