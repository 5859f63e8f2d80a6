"""The flow `notification_email` inside the scheduler: its ticks, and its own worker where it has one.

Mails have threads of their own: a mail server that hangs never holds a refresh.
"""

from __future__ import annotations

import structlog

from refresher.errors import DatabaseUnavailable
from refresher.notify import mail_channel
from refresher.runtime.jobs import Carrier, Ticks
from refresher.runtime.services import Services
from refresher.store import mails

log = structlog.get_logger()
KEEP_DAYS = 30.0
"""How long mails are kept that were sent."""


class MailFlow:
    """Plans, gathers and hands over."""

    def __init__(
        self, services: Services, ticks: Ticks, enqueue: mail_channel.Enqueue, carrier: Carrier
    ) -> None:
        self._services, self._ticks = services, ticks
        self._enqueue, self._carrier = enqueue, carrier

    def start(self) -> None:
        """Starts the ticks, and the worker where the scheduler sends the mails itself."""
        settings = self._services.settings
        if not settings.notification_email.enabled:
            log.info("REFRESHER_NOTIFICATION_EMAIL__ENABLED is false: no mail is sent")
            return
        self._carrier.start()
        self._ticks.every(mail_channel.IDLE_SECONDS, self.tick, "mail")
        self._ticks.every(settings.digest_interval_seconds, self.gather, "digest")

    def stop(self) -> None:
        """Lets the mails that are under way finish, and gives back what has not begun."""
        if not self._carrier.stop(self._services.settings.shutdown_seconds):
            return
        try:
            mail_channel.give_back(self._services)
        except DatabaseUnavailable as error:
            log.warning("claimed mails are left to the end of their lease", why=str(error))

    def tick(self) -> None:
        """Makes mails of what is new, and hands over the next one."""
        mail_channel.plan(self._services)
        self._ticks.wake(mail_channel.dispatch(self._services, self._enqueue), "mail")

    def gather(self) -> None:
        """Makes digests of what has gathered."""
        mail_channel.plan(self._services)
        if mail_channel.gather(self._services):
            self._ticks.wake(0.0, "mail")

    def tidy(self) -> None:
        """Forgets mails that were sent long ago."""
        with self._services.database.transaction() as db:
            mails.forget_old(db, days=KEEP_DAYS)
