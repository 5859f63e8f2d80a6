"""The scheduler process: `python -m refresher.scheduler`.

Three coarse jobs of APScheduler, never one per connection: dispatch what is due, sweep what stalled,
tidy up. Nothing sleeps until an expiry. With the transport `in_process` it also runs the actors, on
Dramatiq's own worker. (The *table* is `store/schedule.py`.)
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial

import dramatiq
import structlog

from refresher.connections import bulk_work, connect_sweep, discovery
from refresher.connections.oauth_apps import SecretFiles, sync_apps
from refresher.connections.provider_entries import ProviderEntries
from refresher.errors import CatalogueError, DatabaseUnavailable, RefresherError
from refresher.insight import history
from refresher.notify import watch
from refresher.notify.flow import ChannelFlow
from refresher.notify.mail_channel import MAIL
from refresher.notify.webhook_channel import WEBHOOKS
from refresher.refresh.dispatch import dispatch_due
from refresher.refresh.recovery import messages_lost, release_own, sweep_stalled
from refresher.refresh.retention import keep_answers, keep_events
from refresher.runtime.health import Probe
from refresher.runtime.jobs import Ticks
from refresher.runtime.liveness import Watch
from refresher.runtime.log import Seldom, adopt_all, say_last
from refresher.runtime.neighbours import LOOK_SECONDS
from refresher.runtime.process import Process, spare_collections, starting
from refresher.runtime.services import Services, services
from refresher.runtime.serving.ports import Application
from refresher.runtime.shutdown import GRACE_SECONDS, Stop, end_within
from refresher.store import pauses, web_sessions, workers
from refresher.store.mails import MOST_BUSY

log = structlog.get_logger()
TIDY_SECONDS = 600.0
WEBHOOK_THREADS = 2
"""Enough, for they only hand over: who waits for answers is `Services.deliverers`."""
MET_AGAIN_SECONDS = 600.0
"""How often the log says that another installation uses the same Redis."""
SECRET_FILES_SECONDS = 5.0
"""How often to look whether a client secret's file changed: one `stat` a file."""


class Scheduler:
    """The ticks of one process, and the worker beside them when the transport is in_process."""

    def __init__(
        self,
        services: Services,
        broker: dramatiq.Broker,
        api: Callable[[Probe], Application] | None = None,
        listening: Sequence[socket.socket] = (),
    ) -> None:
        # Imported here: the actors take their broker from the environment when they are imported.
        from refresher.actors import refresh_connections  # noqa: PLC0415
        from refresher.runtime.broker import Carrier, send  # noqa: PLC0415

        self.process = Process("scheduler", services, broker, api=api, listening=listening)
        self._services = services
        self._watch = Watch()
        self._secret_files = SecretFiles(services)
        self._enqueue = lambda groups: send(refresh_connections, groups)
        self._carrier = Carrier(
            broker,
            services.settings.integration_refresh.queue,
            threads=services.settings.worker_threads * (1 + services.settings.helpers),
        )
        self._ticks = Ticks(services)
        self.process.probe.job_failures = self._ticks.failures
        self._entries = ProviderEntries(services)
        self._met = Seldom(MET_AGAIN_SECONDS)
        self.process.probe.troubles = self._ticks.troubles
        self.process.probe.tick_ended_at = lambda: self._ticks.ended_at("tick")
        self._mail = _mail_flow(services, self._ticks)
        self._webhooks = _webhook_flow(services, self._ticks)

    def start(self) -> None:
        """Starts everything; returns at once."""
        self.process.start()
        self._sync_apps()
        self._entries.resume()
        flow = self._services.settings.integration_refresh
        if flow.enabled:
            settings = self._services.settings
            self._services.helpers.start(settings.helpers)
            self._carrier.start()
            self._ticks.every(settings.tick_seconds, self.tick, "tick")
            self._ticks.every(settings.sweep_interval_seconds, self.sweep, "sweep")
        else:
            log.warning("REFRESHER_INTEGRATION_REFRESH__ENABLED is false: nothing is refreshed")
            self.process.probe.idle = True
        self._ticks.every(TIDY_SECONDS, self.tidy, "tidy")
        self._ticks.every(SECRET_FILES_SECONDS, self.look_at_secret_files, "secret files")
        self._ticks.every(discovery.LOOK_SECONDS, self.look_at_issuers, "issuers")
        self._ticks.every(connect_sweep.LOOK_SECONDS, self.look_at_consents, "connect")
        self._ticks.every(bulk_work.LOOK_SECONDS, self.look_at_bulk_jobs, "bulk")
        self._ticks.every(watch.LOOK_SECONDS, self.tell, "tell")
        self._ticks.every(LOOK_SECONDS, self.look_around, "neighbours")
        self._ticks.every(history.LOOK_SECONDS, self.take_sample, "samples")
        self._mail.start()
        self._webhooks.start()
        self._ticks.start()
        log.info("scheduler started", transport=flow.transport, queue=flow.queue)

    def stop(self) -> None:
        """Stops claiming, lets what is in flight finish within REFRESHER_SHUTDOWN_SECONDS."""
        self._services.ask_to_stop()
        self._services.helpers.ask_to_stop()
        self._ticks.stop()
        if self._carrier.stop(self._services.settings.shutdown_seconds):
            self._release()
        self._services.helpers.stop(self._services.settings.shutdown_seconds)
        self._mail.stop()
        self._webhooks.stop()
        self._services.finish_deliveries()
        self.process.stop()
        log.info("scheduler stopped")

    def _release(self) -> None:
        try:
            log.info("released", rows=release_own(self._services))
        except DatabaseUnavailable as error:
            log.warning("claims are left to the sweep", why=str(error))

    def tick(self) -> None:
        """Dispatches what is due, then asks to be woken when the next row is."""
        self._refuse_a_backup()
        if self._ticks.failed:
            # A claim may have been committed without our knowing, a message be refused by a worker.
            log.warning("claiming anew after an interruption", rows=release_own(self._services))
            self._ticks.failed = False
        if self._carrier.lost():
            messages_lost(self._services)
        done = dispatch_due(self._services, self._enqueue)
        self.process.probe.ticked()
        self._ticks.wake(done.again_in_seconds, "tick")

    def sweep(self) -> None:
        """Makes stalled rows due again, and has them claimed at once."""
        self._refuse_a_backup()
        if sweep_stalled(self._services, self._watch).total:
            self._ticks.wake(0.0, "tick")

    def _refuse_a_backup(self) -> None:
        """Raises `DatabaseOlder` where a refresh would spend tokens twice."""
        if self._ticks.failed:
            self._services.restored.look_again()
        self._services.restored.check()

    def tidy(self) -> None:
        """Forgets processes and sessions that ended long ago, and keeps the events' table in shape."""
        with self._services.database.transaction() as db:
            workers.forget_old(db)
            pauses.forget_old(db)
            web_sessions.forget_old(db)
        keep_events(self._services)
        keep_answers(self._services)
        connect_sweep.forget_old(self._services)
        bulk_work.forget_old(self._services)
        watch.forget_old(self._services)
        history.forget_old(self._services)
        self._mail.tidy()
        self._webhooks.tidy()
        self._entries.resume()

    def _sync_apps(self) -> None:
        known, file = self._services.catalogue, self._services.settings.providers_file
        changed = sync_apps(self._services)
        if file is not None:
            log.info("providers file read", providers=len(known), apps_changed=changed)
        for one in known.unusable:
            log.warning("part of the providers file is not used", table=one.table, why=one.why)

    def look_at_secret_files(self) -> None:
        """Stores the client secrets whose files changed; looks for entries that were wrong."""
        self._entries.look()
        try:
            changed = self._secret_files.look()
        except CatalogueError as error:
            log.error("the providers file is wrong: secrets stay as they are", why=str(error))  # noqa: TRY400
            return
        if changed:
            log.info("secret files read again", secrets_changed=changed)

    def look_at_issuers(self) -> None:
        """Reads issuers' metadata that is due, on a thread of its own."""
        discovery.look(self._services)

    def look_at_consents(self) -> None:
        """Goes on with consents whose browser or process is gone, and ends what is over."""
        connect_sweep.look(self._services)

    def look_at_bulk_jobs(self) -> None:
        """Works off what is due of bulk jobs."""
        bulk_work.look(self._services)

    def look_around(self) -> None:
        """Leaves our card in Redis, and says who else is there."""
        neighbours = self.process.probe.neighbours
        if neighbours is None:
            return
        neighbours.introduce()
        for one in neighbours.met():
            self._met.warning("not alone on this redis", one.sentence, why=one.sentence)

    def take_sample(self) -> None:
        """Stores what the last quarter of a minute came to, for charts."""
        history.take_sample(self._services)

    def tell(self) -> None:
        """Notes what people are to be told that no refresh could know."""
        watch.tell(self._services)


def _mail_flow(services: Services, ticks: Ticks) -> ChannelFlow:
    from refresher.actors import flush_digest, send_notification  # noqa: PLC0415  as above
    from refresher.runtime.broker import Carrier, mail_broker, send_mails  # noqa: PLC0415

    actors = {"plain": send_notification, "digest": flush_digest}
    queue = services.settings.notification_email.queue
    carrier = Carrier(mail_broker, queue, threads=MOST_BUSY, marker=MAIL.flow)
    return ChannelFlow(services, MAIL, ticks, lambda batches: send_mails(actors, batches), carrier)


def _webhook_flow(services: Services, ticks: Ticks) -> ChannelFlow:
    from refresher.actors import deliver_webhooks  # noqa: PLC0415  as above
    from refresher.runtime.broker import Carrier, send_webhooks, webhook_broker  # noqa: PLC0415

    queue = services.settings.webhook_delivery.queue
    carrier = Carrier(webhook_broker, queue, threads=WEBHOOK_THREADS, marker=WEBHOOKS.flow)
    enqueue = partial(send_webhooks, deliver_webhooks)
    return ChannelFlow(services, WEBHOOKS, ticks, enqueue, carrier)


def main() -> int:
    """Runs until SIGTERM or SIGINT; a second one ends at once. Returns the exit code."""
    stop = Stop()
    adopt_all()
    try:
        from refresher.runtime.broker import broker  # noqa: PLC0415  a wrong setting ends here, in a sentence

        with starting("scheduler"):
            built = services()
            stop.also(built.ask_to_stop)
            stop.also(lambda: end_within(built.settings.shutdown_seconds + GRACE_SECONDS))
            scheduler = Scheduler(built, broker)
            scheduler.start()
            spare_collections()
    except RefresherError as error:
        say_last(error)
        return error.exit_code
    stop.wait()
    scheduler.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
