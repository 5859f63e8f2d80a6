"""What every long-running process has: a database that is ready, a heartbeat, a health page.

`scheduler.py`, `worker.py` and `web.py` start one `Process` and stop it at the end.
"""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dramatiq
import structlog

from refresher.errors import (
    DatabaseNewer,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    RefresherError,
    SettingsError,
)
from refresher.rules.masking import mask
from refresher.runtime import sentry, tracing
from refresher.runtime.health import Probe
from refresher.runtime.liveness import Heartbeat
from refresher.runtime.log import configure
from refresher.runtime.metrics import OfProcess, Sources, sources_from
from refresher.runtime.neighbours import Neighbours
from refresher.runtime.services import Services
from refresher.runtime.serving.ports import Application, Ports
from refresher.store import installation, migrate

log = structlog.get_logger()
DATABASE_PATIENCE_SECONDS = 60.0
"""How long a starting process waits for a database that is not there yet, or not migrated."""


COLLECT_AFTER = (10_000, 20, 20)
"""Python looks for cycles after so many new objects; its own 700 come together in each batch."""


class WrongTransport(SettingsError):
    """This process has nothing to do with the transport that is set."""


class Process:
    """One running process: register it, serve its health, and take both back at the end."""

    def __init__(
        self,
        role: str,
        services: Services,
        broker: dramatiq.Broker | None,
        *,
        api: Callable[[Probe], Application] | None = None,
        listening: Sequence[socket.socket] = (),
    ) -> None:
        self._services = services
        self._broker = broker
        self.probe = Probe(role, services, broker)
        self.asked_to_stop: Callable[[], bool] = bool
        self._heartbeat = Heartbeat(services, role)
        self._heartbeat.failing = lambda: {
            job: trouble.reason for job, trouble in self.probe.troubles().items()
        }
        application = api(self.probe) if api is not None else None
        self._ports = Ports(self.probe, services.settings, application, listening)

    def start(self) -> None:
        """Waits for the database, then starts heartbeat and health; raises what stays wrong."""
        configure(self._services.settings)
        sentry.start(self._services.settings, self.probe.role)
        tracing.start(self._services.settings, self.probe.role)
        self._tell_of_entries()
        self._services.meter.open(self.probe.role, self._sources())
        self._ports.start()
        await_database(self._services, asked=self.asked_to_stop)
        self._take_name()
        self._services.restored.watch()
        self._heartbeat.start()
        self.probe.registered = lambda: self._heartbeat.healthy
        self.probe.answered_at = lambda: self._heartbeat.answered_at

    def stop(self) -> None:
        """Stops both; the lock of this process ends, with nothing left to sweep."""
        self._services.ask_to_stop()
        self._ports.stop()  # first: a refresh that a caller waits for needs our liveness lock
        self._heartbeat.stop()
        self._services.meter.close()
        tracing.stop()
        sentry.stop()

    def _tell_of_entries(self) -> None:
        """Says which entries of the user's file are wrong: the others go on without them."""
        for one in self._services.catalogue.broken:
            log.error("part of the providers file is wrong", table=one.table, why=one.why)

    def _take_name(self) -> None:
        """Has everything of ours in Redis carry this installation's name."""
        from refresher.runtime.broker import name_queues  # noqa: PLC0415  it reads the environment

        with self._services.database.transaction() as db:
            name, place = installation.name(db), installation.place(db)
        self.probe.neighbours = Neighbours(self._services.settings, name, place)
        self._services.spool.named(name)
        name_queues(name, self._broker)

    def _sources(self) -> Sources:
        services = self._services
        return sources_from(
            self.probe.role,
            services.settings,
            database=services.database,
            spool=services.spool,
            catalogue=services.catalogue,
            process=OfProcess(
                tick_age_seconds=lambda: self.probe.tick_age_seconds,
                # Whoever has the jobs sets it later.
                job_failures=lambda: dict(self.probe.job_failures()),
                queue=self.probe.queue_seen,
            ),
        )


class CannotStart(RefresherError):
    """Something that nobody foresaw ended the start."""


class StoppedEarly(RefresherError):
    """Somebody asked the process to stop before it had started."""

    exit_code = 0


@contextmanager
def starting(role: str) -> Iterator[None]:
    """Turns whatever ends a start into one sentence; a process that is half started must not go on."""
    try:
        yield
    except RefresherError:
        raise
    except Exception as error:
        if structlog.is_configured():  # else it would be printed, whatever the level
            log.debug("the start failed", exc_info=True)
        why = mask(str(error).strip().partition("\n")[0])
        raise CannotStart(f"the {role} cannot start: {type(error).__name__}: {why}") from error


def spare_collections() -> None:
    """Takes what has been loaded by now out of the search for cycles: it stays until the end.

    For a process that has started. A whole search looks at some 300,000 objects of libraries, and keeps
    everybody waiting for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def await_database(
    services: Services,
    *,
    patience_seconds: float = DATABASE_PATIENCE_SECONDS,
    sleep: Callable[[float], object] | None = None,
    asked: Callable[[], bool] = bool,
) -> None:
    """Returns once the database answers and is migrated; raises the last sentence otherwise.

    `asked` tells of a wish to stop that `services.stopping` does not know. Raises `StoppedEarly`.

    A deploy starts everything at once, so being early is normal: 0.5, 1, 2, 4 … seconds between looks.
    """
    wait, until = 0.5, time.monotonic() + patience_seconds
    while True:
        try:
            with services.database.transaction() as db:
                migrate.check(db)
            return
        except (DatabaseUnavailable, DatabaseNotMigrated) as error:
            if isinstance(error, DatabaseNewer):
                raise
            if asked() or services.stopping.is_set():
                raise StoppedEarly(f"stopped while it waited for the database: {error}") from None
            if time.monotonic() + wait > until:
                raise
            log.warning("waiting for the database", why=str(error), again_in_seconds=wait)
            _wait(services, wait, asked) if sleep is None else sleep(wait)
            wait = min(wait * 2, 10.0)


def _wait(services: Services, seconds: float, asked: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not asked():
        if services.stopping.wait(min(0.5, max(0.0, until - time.monotonic()))):
            return
