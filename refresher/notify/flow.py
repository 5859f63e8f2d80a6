"""A flow inside the scheduler, `notification_email` or `webhook_delivery`: its jobs and its worker.

Each has threads of its own: a server that hangs never holds a refresh, nor the other channel.
"""

from __future__ import annotations

import structlog

from refresher.errors import DatabaseUnavailable
from refresher.notify import delivery
from refresher.notify.delivery import AnyChannel, HandOver
from refresher.runtime.jobs import Carrier, Ticks
from refresher.runtime.services import Services

log = structlog.get_logger()


class ChannelFlow:
    """Plans, claims, hands over and sweeps; its worker is where the scheduler sends by itself."""

    def __init__(
        self,
        services: Services,
        channel: AnyChannel,
        ticks: Ticks,
        enqueue: HandOver,
        carrier: Carrier,
    ) -> None:
        self._services, self._channel, self._ticks = services, channel, ticks
        self._enqueue, self._carrier = enqueue, carrier

    def start(self) -> None:
        """Starts the jobs and the worker."""
        settings, channel = self._services.settings, self._channel
        if not getattr(settings, channel.flow).enabled:
            off = f"REFRESHER_{channel.flow.upper()}__ENABLED is false"
            log.info("nothing is sent by this channel", channel=channel.name, why=off)
            return
        self._carrier.start()
        self._ticks.every(settings.tick_seconds, self.tick, channel.name)
        self._ticks.every(settings.tick_seconds, self.sweep, f"{channel.name} sweep")
        if channel.gather is not None:
            self._ticks.every(settings.digest_interval_seconds, self.gather, "digest")

    def stop(self) -> None:
        """Lets what the worker has in hand finish, and gives back what has not begun."""
        if not self._carrier.stop(self._services.settings.shutdown_seconds):
            return
        try:
            delivery.give_back_unbegun(self._services, self._channel)
        except DatabaseUnavailable as error:
            log.warning("claimed messages are left to the end of their lease", why=str(error))

    def tick(self) -> None:
        """Plans what is new and claims what is due, then asks to be woken when the next one is."""
        if self._carrier.lost():
            delivery.give_back_unbegun(self._services, self._channel)
        delivery.plan(self._services, self._channel)
        again = delivery.dispatch(self._services, self._channel, self._enqueue)
        self._ticks.wake(again, self._channel.name)

    def sweep(self) -> None:
        """Makes due again what a process left behind, and has it claimed at once."""
        if delivery.sweep(self._services, self._channel):
            self._ticks.wake(0.0, self._channel.name)

    def gather(self) -> None:
        """Makes digests of all that has gathered."""
        while delivery.plan(self._services, self._channel):
            pass
        if delivery.gather(self._services, self._channel):
            self._ticks.wake(0.0, self._channel.name)

    def tidy(self) -> None:
        """Forgets what was sent long ago."""
        with self._services.database.transaction() as db:
            self._channel.tidy(self._services, db)
