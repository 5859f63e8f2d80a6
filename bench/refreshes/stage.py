"""Sets a benchmark up and takes it down: database, Redis, provider, connections, and the processes.

REFRESHER_* settings of the environment reach the processes, so that a setting can be tried out; only
what the run itself must know (places, keys, transport, sizes) is given here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import redis

from bench.refreshes import statements as sql
from bench.refreshes.plan import BenchFailed, Plan
from bench.refreshes.processes import (
    Crew,
    announced_url,
    provider_arguments,
    worker_arguments,
)
from bench.refreshes.redis_server import RedisServer
from bench.refreshes.seed import providers_toml, seed
from bench.refreshes.usage import is_redis, server_of
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.errors import RedisUnavailable, SettingsError
from refresher.runtime.cipher import new_key
from refresher.runtime.services import Services, build
from refresher.settings import load, sqlalchemy_url
from refresher.store import migrate, workers
from refresher.store.pool import Pool

Say = Callable[[str], None]
START_SECONDS = 60.0
SPARE_SESSIONS = 30
"""What the scheduler, this benchmark and Postgres itself need of max_connections."""


@dataclass(frozen=True)
class Stage:
    """What stands before the processes start; `statement_log` is the log of a server that is ours."""

    plan: Plan
    services: Services
    crew: Crew
    environment: dict[str, str]
    kinds: Mapping[str, int]
    statement_log: Path | None


@contextmanager
def set_up(plan: Plan, say: Say) -> Iterator[Stage]:
    """Starts what is needed and imports the connections; takes all of it down at the end."""
    with ExitStack() as stack:
        # The server's own account must be able to go there, too.
        made = tempfile.TemporaryDirectory(prefix="refresher-bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made)).resolve()
        crew = Crew(folder)
        stack.callback(crew.close)
        url, log = stack.enter_context(_database(plan, folder))
        provider = crew.start("provider", provider_arguments(plan), os.environ)
        environment = _environment(plan, folder, url, _url_of(crew))
        kinds = {"provider": provider.pid}
        if plan.transport == "redis":
            environment["REDIS_URL"], kinds["redis"] = _redis(plan, folder, crew, stack)
        services = _services(environment)
        stack.callback(services.close)
        kinds["postgres"] = _prepare(plan, services, ours=log is not None)
        say("PostgreSQL, the provider and the queue are ready")
        began = monotonic()
        seed(services, plan.connections)
        say(f"{plan.connections:,} connections imported in {monotonic() - began:.1f} s")
        here = {kind: pid for kind, pid in kinds.items() if pid}
        yield Stage(plan, services, crew, environment, here, log)


def start_processes(stage: Stage, say: Say) -> dict[str, int]:
    """Starts scheduler and workers and waits until each has registered; returns their numbers."""
    plan, began = stage.plan, monotonic()
    started = {
        "scheduler": stage.crew.start("scheduler", ["refresher.scheduler"], stage.environment)
    }
    if plan.transport == "redis":
        arguments = worker_arguments(plan)
        started["workers"] = stage.crew.start("workers", arguments, stage.environment)
    wanted = plan.processes + (1 if plan.transport == "redis" else 0)
    _until(lambda: len(_registered(stage)) >= wanted, stage.crew, "one of the processes")
    say(f"{wanted} processes started in {monotonic() - began:.1f} s")
    return {kind: pid for kind, process in started.items() if (pid := process.pid)}


def _registered(stage: Stage) -> set[int]:
    with stage.services.database.transaction() as db:
        return {process.process_id for process in workers.processes(db)}


@contextmanager
def _database(plan: Plan, folder: Path) -> Iterator[tuple[str, Path | None]]:
    if plan.database_url is None:
        with EmbeddedPostgres(folder / "postgres") as postgres:
            yield postgres.url, postgres.log
        return
    url = sqlalchemy_url(plan.database_url)
    _refuse_strangers(url)
    yield url, None
    database = Pool(url)
    with database.transaction() as db:
        sql.empty(db)
    database.close()


def _refuse_strangers(url: str) -> None:
    database = Pool(url)
    try:
        with database.transaction() as db:
            found = sql.strangers(db)
    finally:
        database.close()
    if found:
        raise SettingsError(
            f"--database-url holds data already ({', '.join(found[:3])}): a benchmark deletes what "
            "it finds at the end, so give a database that is empty, or none"
        )


def _prepare(plan: Plan, services: Services, *, ours: bool) -> int:
    """Makes the tables; returns the number of the server's process, 0 when it is not here."""
    migrate.upgrade(services.database.url, services.database.schema)
    with services.database.transaction() as db:
        most = int(sql.server_settings(db)["max_connections"])
        needed = plan.processes * (plan.threads + 5) + SPARE_SESSIONS
        if needed > most:
            raise SettingsError(
                f"--processes {plan.processes} with --threads {plan.threads} need {needed} database "
                f"sessions, and the server allows {most}: lower one of them"
            )
        if ours:
            sql.count_statements(db)
        is_here = sql.serves_here(db)
        return (server_of(sql.server_process_id(db)) or 0) if is_here else 0


def _redis(plan: Plan, folder: Path, crew: Crew, stack: ExitStack) -> tuple[str, int]:
    """Returns the URL, and the number of the server's process, 0 when it is not here."""
    if plan.redis_url is None:
        server = RedisServer(folder)
        crew.hold(server.pid)
        stack.callback(server.stop)
        return server.url, server.pid
    try:
        with redis.Redis.from_url(plan.redis_url, socket_connect_timeout=5) as client:
            pid = int(client.info("server")["process_id"])
    except (redis.RedisError, ValueError) as error:
        raise RedisUnavailable(f"--redis-url cannot be used: {type(error).__name__}") from None
    return plan.redis_url, pid if is_redis(pid) else 0


def _url_of(crew: Crew) -> str:
    provider = crew.running["provider"]
    _until(lambda: announced_url(provider) is not None, crew, "provider")
    return str(announced_url(provider))


def _until(is_so: Callable[[], bool], crew: Crew, what: str) -> None:
    give_up_at = monotonic() + START_SECONDS
    while not is_so():
        crew.demand()
        if monotonic() > give_up_at:
            raise BenchFailed(f"{what} did not start within {START_SECONDS:.0f} s")
        sleep(0.02)


def _environment(plan: Plan, folder: Path, database_url: str, provider_url: str) -> dict[str, str]:
    file = folder / "providers.toml"
    file.write_text(providers_toml(provider_url), encoding="utf-8")
    ours = {
        "DATABASE_URL": database_url,
        "PORT": "0",
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
        "REFRESHER_DATA_DIRECTORY": str(folder),
        "REFRESHER_DATABASE_POOL_SIZE": str(plan.threads + 4),
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_IN_PROCESS_PROCESSES": str(plan.processes),
        "REFRESHER_INTEGRATION_REFRESH__QUEUE": "refresher_bench",
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": plan.transport,
        "REFRESHER_LOG_FORMAT": "json",
        "REFRESHER_MAX_IN_FLIGHT": str(plan.in_flight),
        "REFRESHER_PROVIDERS_FILE": str(file),
        "REFRESHER_SENDER": plan.sender,
        "REFRESHER_WORKER_THREADS": str(plan.threads),
    }
    others = {"REDIS_URL", "REFRESHER_DATABASE_URL", "REFRESHER_REDIS_URL", "REFRESHER_REDIS_DB"}
    dropped = others | set(ours)
    return {name: value for name, value in os.environ.items() if name not in dropped} | ours


def _services(environment: Mapping[str, str]) -> Services:
    """Returns what imports the connections: this process sends nothing, so few settings matter."""
    return build(
        load(
            database_url=environment["DATABASE_URL"],
            encryption_keys=environment["REFRESHER_ENCRYPTION_KEYS"],
            providers_file=environment["REFRESHER_PROVIDERS_FILE"],
            data_directory=environment["REFRESHER_DATA_DIRECTORY"],
            allow_insecure_hosts=environment["REFRESHER_ALLOW_INSECURE_HOSTS"],
            statement_timeout_seconds=600.0,
        )
    )
