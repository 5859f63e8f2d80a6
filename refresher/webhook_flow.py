"""The flow `webhook_delivery` inside the scheduler: its ticks, and its own worker where it has one.

Webhooks have threads of their own: an endpoint that hangs never holds a refresh or a mail.
"""

from __future__ import annotations

import dramatiq
import structlog
from dramatiq.brokers.stub import StubBroker

from refresher import delivery_dispatch
from refresher.ticks import Ticks
from refresher.wiring import Services

log = structlog.get_logger()
WORKER_THREADS = 2
"""Enough, for they only hand over: who waits for answers is `Services.deliverers`."""
STOP_MILLISECONDS = 5_000


class WebhookFlow:
    """Plans, claims, hands over and sweeps."""

    def __init__(self, services: Services, ticks: Ticks) -> None:
        # Imported here: the actors take their broker from the environment when they are imported.
        from refresher.actors import deliver_webhooks  # noqa: PLC0415
        from refresher.broker import send_webhooks, webhook_broker  # noqa: PLC0415

        self._services, self._ticks = services, ticks
        self._broker = webhook_broker
        self._worker: dramatiq.Worker | None = None
        self._enqueue = lambda batches: send_webhooks(deliver_webhooks, batches)

    def start(self) -> None:
        """Starts the ticks, and the worker where the scheduler sends the webhooks itself."""
        settings = self._services.settings
        flow = settings.webhook_delivery
        if not flow.enabled:
            log.info("REFRESHER_WEBHOOK_DELIVERY__ENABLED is false: no webhook is sent")
            return
        if isinstance(self._broker, StubBroker):
            self._worker = dramatiq.Worker(
                self._broker, queues={flow.queue}, worker_threads=WORKER_THREADS
            )
            self._worker.start()
        self._ticks.every(settings.tick_seconds, self.tick, "webhooks")
        self._ticks.every(settings.tick_seconds, self.sweep, "webhook sweep")

    def stop(self) -> None:
        """Lets the webhooks that are under way finish; what has not begun, the sweep finds."""
        if self._worker is not None:
            self._worker.stop(timeout=STOP_MILLISECONDS)
        self._services.finish_deliveries()

    def tick(self) -> None:
        """Plans what is new and claims what is due, then asks to be woken when the next one is."""
        from refresher.broker import marker_stands  # noqa: PLC0415

        if not marker_stands(self._broker, "webhook_delivery"):
            delivery_dispatch.messages_lost(self._services)
        done = delivery_dispatch.dispatch_due(self._services, self._enqueue)
        self._ticks.wake(done.again_in_seconds, "webhooks")

    def sweep(self) -> None:
        """Makes due again what a process left behind, and has it claimed at once."""
        if delivery_dispatch.sweep_stalled(self._services):
            self._ticks.wake(0.0, "webhooks")

    def tidy(self) -> None:
        """Forgets messages that arrived long ago, and secrets that sign no more."""
        delivery_dispatch.tidy(self._services)
