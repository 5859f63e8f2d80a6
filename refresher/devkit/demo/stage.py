"""Sets the demo up and takes it down: a database, a provider, a scheduler, connections.

Each part is a process of its own, and nothing of the user's environment reaches them: a demo shows
the defaults. Only the database's place and the key are given.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from refresher.connections.oauth_apps import sync_apps
from refresher.connections.registration import take
from refresher.devkit.demo.plan import DemoFailed, Plan
from refresher.devkit.demo.provider import DemoProvider, providers_toml
from refresher.devkit.foundation import development_key
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.errors import SettingsError
from refresher.runtime.children import Leash
from refresher.runtime.services import Services, build
from refresher.settings import PREFIX, Settings, load
from refresher.store import migrate, statistics
from refresher.store.registration import database_now

STOP_SECONDS = 45.0
LONGEST_COMPLAINT = 600
UNINTERESTING = {"level", "timestamp"}


class SchedulerProcess:
    """One scheduler at a time; its log goes to a file."""

    def __init__(self, environment: Mapping[str, str], log: Path, leash: Leash) -> None:
        self._environment = environment
        self._log = log
        self._leash = leash
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process that runs now, None while none does."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Starts one; it is ready once it has registered itself in the database."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "refresher.scheduler"],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is meant for the demo, which ends it in its turn
            )
        self._leash.hold(self._process.pid)

    def ask_to_stop(self) -> None:
        """Sends SIGTERM, as a platform does at each deploy."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL: no warning, no last word."""
        self._signal(signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether none runs; after that its number is forgotten."""
        if self._process is not None and self._process.poll() is not None:
            self._leash.release(self._process.pid)
            self._process = None
        return self._process is None

    def demand(self) -> None:
        """Raises `DemoFailed` when it has ended by itself."""
        if self.has_ended():
            raise DemoFailed(f"the scheduler ended by itself: {self._last_words()}")

    def stop(self) -> None:
        """Stops it and waits for that; kills it when it takes too long."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self.has_ended()

    def log_text(self) -> str:
        """Returns everything that it has logged."""
        return self._log.read_text(errors="replace")

    def last_complaint(self) -> str | None:
        """Returns the last warning or error of its log, if any, for when the verdict is bad."""
        for line in reversed(self.log_text().splitlines()):
            if line.startswith("mail "):
                continue  # the console sender's
            try:
                told = json.loads(line)
            except ValueError:
                return line  # not our log format: a traceback at start, or a last word
            if told.get("level") in {"warning", "error"}:
                kept = {name: value for name, value in told.items() if name not in UNINTERESTING}
                return json.dumps(kept)[:LONGEST_COMPLAINT]
        return None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it left no word"


Say = Callable[[str], None]
HOSTS_GIVE = ("DATABASE_URL", "REDIS_URL", "PORT")
START_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """Everything that runs; `started_at` is the database's time before the first import."""

    plan: Plan
    services: Services
    provider: DemoProvider
    scheduler: SchedulerProcess
    started_at: datetime


@contextmanager
def set_up(plan: Plan, say: Say) -> Iterator[Stage]:
    """Starts everything, imports the connections, and takes all of it down at the end."""
    with ExitStack() as stack:
        directory = stack.enter_context(_directory(plan))
        key = development_key(directory)
        say("a development key, made for this demo alone, seals the tokens")
        began = monotonic()
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
        migrate.upgrade(postgres.url)
        say(f"PostgreSQL started and migrated in {monotonic() - began:.1f} s")
        provider = DemoProvider(plan, directory / "provider.log")
        stack.callback(provider.stop)
        say(f"{_strictness(plan)} OAuth server runs at {provider.url}")
        environment = _environment(directory, postgres.plain_url, key, plan, provider.url)
        services = build(_settings(environment))
        stack.callback(services.close)
        scheduler = SchedulerProcess(environment, directory / "scheduler.log", _leash(stack))
        stack.callback(scheduler.stop)
        stage = Stage(plan, services, provider, scheduler, _now(services))
        _start(stage, say)
        _import(stage, say)
        yield stage


def _start(stage: Stage, say: Say) -> None:
    began = monotonic()
    stage.scheduler.start()
    while not is_registered(stage):
        stage.scheduler.demand()
        if monotonic() - began > START_SECONDS:
            raise DemoFailed(f"the scheduler did not start within {START_SECONDS:.0f} s")
        sleep(0.05)
    say(f"`python -m refresher.scheduler` started in {monotonic() - began:.1f} s")


def is_registered(stage: Stage) -> bool:
    """Whether the scheduler that runs now has registered itself, so that it works."""
    with stage.services.database.transaction() as db:
        return stage.scheduler.pid in statistics.registered_process_ids(db)


def _import(stage: Stage, say: Say) -> None:
    sync_apps(stage.services)
    for chunk in stage.provider.consents():
        taken = take(stage.services, chunk)
        if taken.rejected:
            raise DemoFailed(f"a connection was refused: {next(iter(taken.rejected.values()))}")
    say(f"{stage.plan.connections:,} connections imported")


@contextmanager
def _directory(plan: Plan) -> Iterator[Path]:
    if plan.directory is None:
        with tempfile.TemporaryDirectory(
            prefix="refresher-demo-", ignore_cleanup_errors=True
        ) as made:
            yield Path(made)
        return
    directory = plan.directory.expanduser().resolve()
    if (directory / "postgres").exists():
        raise SettingsError(
            f"--directory {plan.directory} holds a database already: choose a new folder"
        )
    yield directory


def _environment(
    directory: Path, database_url: str, key: str, plan: Plan, provider_url: str
) -> Mapping[str, str]:
    file = directory / "providers.toml"
    file.write_text(providers_toml(provider_url, plan), encoding="utf-8")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) and name.upper() not in HOSTS_GIVE
    }
    return inherited | {
        "DATABASE_URL": database_url,
        "PORT": "0",
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
        "REFRESHER_DATA_DIRECTORY": str(directory),
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "REFRESHER_LOG_FORMAT": "json",
        "REFRESHER_PROVIDERS_FILE": str(file),
    }


def _settings(environment: Mapping[str, str]) -> Settings:
    """Reads the settings as the scheduler's process will; our own environment stays as it is."""
    ours = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment)
        return load()
    finally:
        os.environ.clear()
        os.environ.update(ours)


def _leash(stack: ExitStack) -> Leash:
    leash = Leash()
    stack.callback(leash.close)
    return leash


def _now(services: Services) -> datetime:
    with services.database.transaction() as db:
        return database_now(db)


def _strictness(plan: Plan) -> str:
    return f"a forgiving ({plan.grace_seconds:g} s)" if plan.grace_seconds else "a strict"
