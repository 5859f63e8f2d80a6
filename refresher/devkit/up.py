"""`refresher up`: everything in one process, on a database of its own unless one is given.

It arranges what a newcomer has not arranged yet (foundation.py) and then runs what production runs;
there is no second way to refresh. From start to stop: migrate, run the scheduler in this process, look
after everything (with Redis or RabbitMQ a worker too, as a child), end cleanly. Stopping at any moment,
kill -9 included, loses nothing: the next start continues with the same data.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import structlog

from refresher.catalogue.watching import Stamp, stamp
from refresher.devkit.foundation import Foundation, hand_out, prepare, public_at
from refresher.devkit.postgres.binaries import OPENED
from refresher.errors import (
    CatalogueError,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    EmbeddedPostgresError,
    RefresherError,
)
from refresher.runtime.children import Child, Leash
from refresher.runtime.log import configure
from refresher.runtime.parts import catalogue_from
from refresher.runtime.process import DATABASE_PATIENCE_SECONDS
from refresher.runtime.serving.sockets import free_port, listen
from refresher.runtime.shutdown import GRACE_SECONDS, end_within
from refresher.settings import Settings, load
from refresher.store import migrate

log = structlog.get_logger()
AWAY = DatabaseUnavailable.exit_code
LOOK_SECONDS = 0.5
WORKER_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """What runs now, for whoever tells the user."""

    settings: Settings
    foundation: Foundation
    environment_file: Path
    worker_pid: int | None
    port: int
    """Where API and health are served, 0 where they are turned off."""


def run(tell: Callable[[Running], None]) -> bool:
    """Runs until SIGTERM or Ctrl-C; calls `tell` once everything runs. Returns whether to start anew.

    Changes this process's environment, which is where the actors read their settings from.
    """
    stop = _Stop()
    with ExitStack() as stack:
        settings = load()
        configure(settings)
        foundation = prepare(settings, stack)
        os.environ.update(foundation.variables)
        seen = stamp(foundation.providers_file)  # before it is read: a change from here on counts
        settings = load()
        catalogue_from(settings)
        _migrate(settings)
        port, sockets = _listen(settings)
        os.environ.update(public_at(foundation, settings, port))
        environment_file = hand_out(foundation)
        worker = stack.enter_context(_scheduler_and_worker(settings, foundation, sockets))
        stack.callback(end_within, settings.shutdown_seconds + GRACE_SECONDS)
        _tell_of_opened()
        pid = worker.pid if worker else None
        tell(Running(settings, foundation, environment_file, pid, port))
        return _look_after(stop, foundation, worker, seen)


class _Stop:
    """Turns the first signal into a clean stop, and a second one into an end at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._is_running = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` asks us to stay
                signal.signal(number, self._on_signal)

    def wait(self, seconds: float) -> bool:
        """Whether a stop was asked for within so many seconds."""
        self._is_running = True
        return self._asked.wait(seconds)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._asked.is_set():
            os._exit(128 + number)  # what is in flight is left to the sweep
        self._asked.set()
        if not self._is_running:
            raise KeyboardInterrupt  # something is being started: leave it, and take it down


@contextmanager
def _scheduler_and_worker(
    settings: Settings, foundation: Foundation, sockets: Sequence[socket.socket]
) -> Iterator[Child | None]:
    """Runs the scheduler on this process's threads, and a worker process where a server carries."""
    # Imported here: the broker is made from the environment when it is imported.
    from refresher.runtime.broker import broker  # noqa: PLC0415
    from refresher.runtime.services import services  # noqa: PLC0415
    from refresher.scheduler import Scheduler  # noqa: PLC0415
    from refresher.web.app import Api  # noqa: PLC0415

    scheduler = Scheduler(
        services(), broker, api=lambda probe: Api(services(), probe), listening=sockets
    )
    scheduler.start()
    leash = Leash()
    worker = _worker(settings, leash) if foundation.transport != "in_process" else None
    try:
        if worker is not None:
            worker.start()
        yield worker
    finally:
        scheduler.stop()
        if worker and not worker.stop(settings.shutdown_seconds + WORKER_GRACE_SECONDS):
            log.warning("the worker process did not stop; killed it")
        leash.close()
        services().close()


def _worker(settings: Settings, leash: Leash) -> Child:
    """Returns one `dramatiq` command, which has not started yet."""
    sizes = ["--processes", "1", "--threads", str(settings.worker_threads)]
    return Child(["refresher.worker", *sizes], leash, environment=os.environ | {"PORT": "0"})


def _look_after(
    stop: _Stop, foundation: Foundation, worker: Child | None, seen: Stamp | None
) -> bool:
    """Keeps database and worker running, and notices a providers file that is not as `seen`."""
    while not stop.wait(LOOK_SECONDS):
        try:
            if worker and (code := worker.start_again()) is not None:
                log.warning("the worker process ended; starting it again", exit_code=code)
            if not _database_stays(foundation):
                return True
            now = stamp(foundation.providers_file)
            if now != seen and _providers_are_good():
                log.info("the providers file changed: starting again with it")
                return True
            seen = now
        except OSError as error:  # such as no file descriptor left: it passes
            log.warning("cannot look after everything; again soon", why=str(error))
    return False


def _migrate_apart() -> None:
    """Runs `refresher migrate`: in this process Alembic would stay, for good, with seven megabytes."""
    done = subprocess.run(
        [sys.executable, "-m", "refresher", "migrate", "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        kind = DatabaseUnavailable if done.returncode == AWAY else DatabaseNotMigrated
        raise kind(done.stderr.strip().rpartition("\n")[2].removeprefix("refresher: "))


def _database_stays(foundation: Foundation) -> bool:
    """Starts a dead embedded database again; False when it has moved, so that all must start anew."""
    if foundation.postgres is None or foundation.postgres.is_alive():
        return True
    log.error("the embedded database died; starting it again", why=foundation.postgres.last_words())
    before = foundation.postgres.plain_url
    try:
        return foundation.postgres.start().plain_url == before
    except EmbeddedPostgresError as error:
        log.error("it does not start; trying again soon", why=str(error))  # noqa: TRY400  a sentence
        return True


def _providers_are_good() -> bool:
    try:
        wrong = catalogue_from(load()).broken
        if wrong:
            raise CatalogueError("\n".join(one.why for one in wrong))
    except RefresherError as error:
        log.error("the providers file is wrong: going on with the old one", why=str(error))  # noqa: TRY400
        return False
    return True


def _tell_of_opened() -> None:
    for folder in OPENED:
        log.warning(
            "opened a private folder: PostgreSQL does not run as root, and its account must pass",
            folder=str(folder),
            instead="run as an ordinary user, or keep the data below /var/lib",
        )


def _listen(settings: Settings) -> tuple[int, list[socket.socket]]:
    """Returns the port that serves, and its sockets: PORT where it is set, else the next free one.

    Raises `CannotListen` where the port that is set is not to be had.
    """
    if settings.port == 0 or "port" in settings.model_fields_set:
        return settings.port, listen(settings.host, settings.port) if settings.port else []
    port, sockets = free_port(settings.host, settings.port)
    if port != settings.port:
        log.warning("another program has the usual port; taking the next one", port=port)
    return port, sockets


def _migrate(settings: Settings) -> None:
    """Brings the tables up to date; waits a minute for a database that is not there yet."""
    give_up_at, wait = monotonic() + DATABASE_PATIENCE_SECONDS, 0.5
    while True:
        try:
            if not migrate.is_done(settings.database, settings.database_schema):
                _migrate_apart()
        except DatabaseUnavailable as error:
            if monotonic() + wait > give_up_at:
                raise
            log.warning("waiting for the database", why=str(error), again_in_seconds=wait)
            sleep(wait)
            wait = min(wait * 2, 10.0)
        else:
            return
