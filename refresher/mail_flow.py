"""The flow `notification_email` inside the scheduler: its ticks, and its own worker where it has one.

Mails have threads of their own: a mail server that hangs never holds a refresh.
"""

from __future__ import annotations

import structlog

from refresher import mailing
from refresher.errors import DatabaseUnavailable
from refresher.store import mails
from refresher.ticks import Carrier, Ticks
from refresher.wiring import Services

log = structlog.get_logger()
KEEP_DAYS = 30.0
"""How long mails are kept that were sent."""


class MailFlow:
    """Plans, gathers and hands over."""

    def __init__(
        self, services: Services, ticks: Ticks, enqueue: mailing.Enqueue, carrier: Carrier
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
        self._ticks.every(mailing.IDLE_SECONDS, self.tick, "mail")
        self._ticks.every(settings.digest_interval_seconds, self.gather, "digest")

    def stop(self) -> None:
        """Lets the mails that are under way finish, and gives back what has not begun."""
        if not self._carrier.stop(self._services.settings.shutdown_seconds):
            return
        try:
            mailing.give_back(self._services)
        except DatabaseUnavailable as error:
            log.warning("claimed mails are left to the end of their lease", why=str(error))

    def tick(self) -> None:
        """Makes mails of what is new, and hands over the next one."""
        mailing.plan(self._services)
        self._ticks.wake(mailing.dispatch(self._services, self._enqueue), "mail")

    def gather(self) -> None:
        """Makes digests of what has gathered."""
        mailing.plan(self._services)
        if mailing.gather(self._services):
            self._ticks.wake(0.0, "mail")

    def tidy(self) -> None:
        """Forgets mails that were sent long ago."""
        with self._services.database.transaction() as db:
            mails.forget_old(db, days=KEEP_DAYS)
