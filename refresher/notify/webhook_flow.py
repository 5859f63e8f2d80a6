"""The flow `webhook_delivery` inside the scheduler: its ticks, and its own worker where it has one.

Webhooks have threads of their own: an endpoint that hangs never holds a refresh or a mail.
"""

from __future__ import annotations

import structlog

from refresher.notify import webhook_dispatch
from refresher.runtime.jobs import Carrier, Ticks
from refresher.runtime.services import Services

log = structlog.get_logger()
WORKER_THREADS = 2
"""Enough, for they only hand over: who waits for answers is `Services.deliverers`."""
STOP_SECONDS = 5.0


class WebhookFlow:
    """Plans, claims, hands over and sweeps."""

    def __init__(
        self,
        services: Services,
        ticks: Ticks,
        enqueue: webhook_dispatch.Enqueue,
        carrier: Carrier,
    ) -> None:
        self._services, self._ticks = services, ticks
        self._enqueue, self._carrier = enqueue, carrier

    def start(self) -> None:
        """Starts the ticks, and the worker where the scheduler sends the webhooks itself."""
        settings = self._services.settings
        if not settings.webhook_delivery.enabled:
            log.info("REFRESHER_WEBHOOK_DELIVERY__ENABLED is false: no webhook is sent")
            return
        self._carrier.start()
        self._ticks.every(settings.tick_seconds, self.tick, "webhooks")
        self._ticks.every(settings.tick_seconds, self.sweep, "webhook sweep")

    def stop(self) -> None:
        """Lets the webhooks that are under way finish; what has not begun, the sweep finds."""
        self._carrier.stop(STOP_SECONDS)
        self._services.finish_deliveries()

    def tick(self) -> None:
        """Plans what is new and claims what is due, then asks to be woken when the next one is."""
        if self._carrier.lost():
            webhook_dispatch.messages_lost(self._services)
        done = webhook_dispatch.dispatch_due(self._services, self._enqueue)
        self._ticks.wake(done.again_in_seconds, "webhooks")

    def sweep(self) -> None:
        """Makes due again what a process left behind, and has it claimed at once."""
        if webhook_dispatch.sweep_stalled(self._services):
            self._ticks.wake(0.0, "webhooks")

    def tidy(self) -> None:
        """Forgets messages that arrived long ago, and secrets that sign no more."""
        webhook_dispatch.tidy(self._services)
