"""Sets the demo up and takes it down: a database, a provider, a scheduler, connections.

Each part is a process of its own, and nothing of the user's environment reaches them: a demo shows
the defaults. Only the database's place and the key are given. The OAuth server rotates, keeps a ledger
and is the referee; how strict it is: `Plan.grace_seconds`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from refresher.connections.oauth_apps import sync_apps
from refresher.connections.registration import take
from refresher.devkit.demo.plan import DemoFailed, Plan
from refresher.devkit.foundation import development_key
from refresher.devkit.oauth_server import FakeProviderClient
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.errors import SettingsError
from refresher.rules.registration import NewConnection, read
from refresher.runtime.children import Child, Leash
from refresher.runtime.services import Services, build
from refresher.settings import PREFIX, Settings, load
from refresher.store import migrate, workers
from refresher.store.registration import database_now

NAME = "demo"
CLIENT_ID = "demo-client"
CLIENT_SECRET = "demo-secret"
CONSENTS_AT_ONCE = 1_000
LEAST_LEFT_SHARE = 0.3
STOP_SECONDS = 45.0
LONGEST_COMPLAINT = 600
UNINTERESTING = {"level", "timestamp"}
Say = Callable[[str], None]
HOSTS_GIVE = ("DATABASE_URL", "REDIS_URL", "RABBITMQ_URL", "PORT")
START_SECONDS = 60.0


class SchedulerProcess(Child):
    """One scheduler at a time, in the demo's environment; ready once it is in the database."""

    def __init__(self, environment: Mapping[str, str], log: Path, leash: Leash) -> None:
        super().__init__(["refresher.scheduler"], leash, environment=environment, log=log)

    def demand(self) -> None:
        """Raises `DemoFailed` when it has ended by itself."""
        if self.pid is None:
            raise DemoFailed(f"the scheduler ended by itself: {self.last_words()}")

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


@dataclass(frozen=True)
class Stage:
    """Everything that runs; `started_at` is the database's time before the first import."""

    plan: Plan
    services: Services
    provider: FakeProviderClient
    scheduler: SchedulerProcess
    started_at: datetime
    environment: Mapping[str, str]
    """what the processes are given"""
    directory: Path
    leash: Leash
    port: int
    """where pages are served, if any are"""


@contextmanager
def set_up(plan: Plan, say: Say, **settings: str) -> Iterator[Stage]:
    """Starts everything, imports the connections, and takes all of it down at the end.

    `settings` are variables that the processes are given besides.
    """
    with ExitStack() as stack:
        directory = stack.enter_context(_directory(plan))
        key = development_key(directory)
        say("a development key, made for this demo alone, seals the tokens")
        began = monotonic()
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
        migrate.upgrade(postgres.url)
        say(f"PostgreSQL started and migrated in {monotonic() - began:.1f} s")
        provider = stack.enter_context(_provider(plan, directory / "provider.log"))
        say(f"{_strictness(plan)} OAuth server runs at {provider.url}")
        port = _free_port()
        environment = {
            **_environment(directory, postgres.plain_url, key, plan, provider.url),
            **({"REFRESHER_PUBLIC_URL": f"http://127.0.0.1:{port}"} if plan.with_connect else {}),
            **settings,
        }
        services = build(_settings(environment))
        stack.callback(services.close)
        leash = _leash(stack)
        scheduler = SchedulerProcess(environment, directory / "scheduler.log", leash)
        stack.callback(scheduler.stop, STOP_SECONDS)
        stage = Stage(
            plan, services, provider, scheduler, _now(services), environment, directory, leash, port
        )
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
        return stage.scheduler.pid in {process.process_id for process in workers.processes(db)}


def _import(stage: Stage, say: Say) -> None:
    sync_apps(stage.services)
    for chunk in _consents(stage.plan, stage.provider):
        taken = take(stage.services, chunk)
        if taken.rejected:
            raise DemoFailed(f"a connection was refused: {next(iter(taken.rejected.values()))}")
    say(f"{stage.plan.connections:,} connections imported")


@contextmanager
def _provider(plan: Plan, log: Path) -> Iterator[FakeProviderClient]:
    """Runs the OAuth server, and ends it."""
    options = {
        "client-id": CLIENT_ID,
        "client-secret": CLIENT_SECRET,
        "rotation": "always",
        "reuse": "revoke_family",
        "grace-seconds": f"{plan.grace_seconds:g}",
        "lifetime-seconds": f"{plan.lifetime_seconds:g}",
        "seed": str(plan.seed),
        "consent": "page",
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "refresher.devkit.oauth_server", "--exit-with-parent"]
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603  this Python, options of ours
            [*command, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # a Ctrl-C is meant for the demo, which ends it in its turn
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise DemoFailed(f"the demo's OAuth server did not start (its log: {log})")
        with FakeProviderClient(json.loads(line)["url"]) as client:
            yield client
    finally:
        process.terminate()
        process.wait()


def _consents(plan: Plan, provider: FakeProviderClient) -> Iterator[list[NewConnection]]:
    """Yields the accounts of the plan as an application would hand them over, in chunks.

    They connected at different times: 30 to 100 % of each access token's life is left.
    """
    life = plan.lifetime_seconds
    for first in range(0, plan.connections, CONSENTS_AT_ONCE):
        issued = provider.create_grants(
            min(CONSENTS_AT_ONCE, plan.connections - first),
            expires_spread_seconds=[life * LEAST_LEFT_SHARE, life],
        )
        given = [asdict(grant) | {"organization_id": "demo", "provider": NAME} for grant in issued]
        yield [read(line) for line in given]


def providers_toml(url: str, plan: Plan) -> str:
    """Returns the providers file that teaches refresher this server: all that a new one takes."""
    return f"""\
[providers.{NAME}]
title = "The demo's OAuth server"
token_url = "{url}/token"
rotation = "always"
reuse_grace_seconds = {plan.grace_seconds:g}
access_token_lifetime_seconds = {plan.lifetime_seconds:g}
authorize_url = "{url}/authorize"

[providers.{NAME}.connect]
scopes = ["openid"]
scope_words = {{ read = "read your calendar" }}
issuer = "{url}"
jwks_url = "{url}/jwks"
identity = {{ found_in = ["id_token"], paths = ["sub"], label_path = "email" }}

[apps.{NAME}]
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
"""


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


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


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
