"""One whole deployment under test: provider, scheduler and workers as processes, and our eyes on it.

The harness is the supervisor: what a fault ended is started again at once (`Member.restart`). What the
deployment must show is judged in `referee.py`.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from sqlalchemy import text

from refresher.connections import registration
from refresher.connections.oauth_apps import sync_apps
from refresher.devkit.oauth_server import FakeProviderClient, IssuedGrant
from refresher.devkit.oauth_server.faults import FaultKind
from refresher.errors import DatabaseUnavailable
from refresher.rules.registration import read
from refresher.runtime import services
from refresher.runtime.cipher import new_key
from refresher.settings import load
from refresher.store import workers
from refresher.testing.triggers import Triggers
from tests.chaos.ground import Ground
from tests.chaos.machines import Machines
from tests.ports import free_port
from tests.processes import Process
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PROVIDER, CLIENT_SECRET = "chaos", "chaos-secret"
# Small, so that minutes of chaos see many lives; the relations are those that settings.py demands.
SETTINGS: Mapping[str, object] = {
    "allow_insecure_hosts": "loopback",
    "lead_share": 0.4,
    "attempt_interval_seconds": 2,
    "http_connect_seconds": 1,
    "http_total_seconds": 3,
    "commit_seconds": 2,
    "queue_wait_seconds": 5,
    "lease_seconds": 10,
    "attempt_timeout_seconds": 20,
    "shutdown_seconds": 6,
    "statement_timeout_seconds": 5,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one deployment is set up; `settings` are those of refresher, by their names.

    `faults` are the provider's, by kind; first expiries are drawn between two shares of a lifetime;
    connections are spread over so many `organizations`.
    """

    connections: int = 200
    lifetime_seconds: float = 10.0
    grace_seconds: float = 10.0
    latency_seconds: float = 0.1
    organizations: int = 1
    workers: int = 2
    threads: int = 4
    twice: bool = False
    first_expiry: tuple[float, float] = (0.3, 1.0)
    faults: Mapping[FaultKind, Mapping[str, float]] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


class Member:
    """One place in the deployment, and the process that fills it at the moment."""

    def __init__(
        self,
        ground: Ground,
        arguments: tuple[str, ...],
        env: dict[str, str],
        network: Path | None = None,
    ) -> None:
        self._spawn, self._arguments, self._env = ground.spawn, arguments, env
        self._network = network
        self.process: Process = self._spawn(*arguments, env=env, network=network)

    def restart(self) -> None:
        """Ends what is left of the process with -9, and starts it anew."""
        self.process.kill()
        self.process = self._spawn(*self._arguments, env=self._env, network=self._network)


class Deployment:
    """Everything that runs for one fault; a context manager that leaves nothing behind.

    On `machines` each process has one of its own, and a web process runs as well.
    """

    def __init__(self, ground: Ground, plan: Plan, machines: Machines | None = None) -> None:
        self.ground, self.plan, self.machines = ground, plan, machines
        folder = ground.folder
        self.triggers = Triggers(folder / "triggers")
        self.provider_process, self.provider = _start_provider(ground, plan)
        settings = {**SETTINGS, **plan.settings}
        file = folder / "providers.toml"
        file.write_text(_providers_toml(self.provider.url))
        given = {
            "database_url": ground.database(),
            "redis_url": ground.redis_url(),
            "encryption_keys": new_key(),
            "providers_file": file,
            "data_directory": folder / "data",
            **settings,
        }
        self.services = services.build(load(**given))
        self._environment = _environment(given, self.triggers, folder, plan)
        self.port = free_port()
        self.workers: list[Member] = []
        self.scheduler: Member
        self.web: Member | None = None

    def __enter__(self) -> Self:
        sync_apps(self.services)
        for kind, rule in self.plan.faults.items():
            self.provider.add_fault(kind, **rule)
        spread = [share * self.plan.lifetime_seconds for share in self.plan.first_expiry]
        self.take(
            self.provider.create_grants(
                self.plan.connections, expires_spread_seconds=spread, seed=1
            )
        )
        worker = ("-m", "dramatiq", "tests.chaos.actors", "--processes", "1")
        threads = ("--threads", str(self.plan.threads))
        for n in range(self.plan.workers):
            # Its health is the deployment's: the workers' ports are off, unless they are their own.
            place = f"worker-{n + 1}"
            self.workers.append(self._member(place, *worker, *threads, serves=bool(self.machines)))
        self.scheduler = self._member("scheduler", "-m", "tests.chaos.scheduler")
        if self.machines:
            self.web = self._member("web", "-m", "refresher.web")
        self.wait_until_whole()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ground.spawn.close()
        self.services.close()
        self.provider.close()

    def _member(self, place: str, *arguments: str, serves: bool = True) -> Member:
        env = {**self._environment, "PORT": str(self.port)} if serves else self._environment
        if self.machines is None:
            return Member(self.ground, arguments, env)
        machine = self.machines[place]
        served = {**env, "REFRESHER_HOST": machine.address}
        return Member(self.ground, arguments, served, machine.namespace)

    def wait_until_whole(self) -> None:
        """Waits until every process is registered and alive."""

        def everybody_lives() -> bool:
            with self.services.database.transaction() as db:
                return len(workers.holders(db).alive) >= len(self.members)

        wait_until(everybody_lives, 120, self.ground.spawn.outputs)

    def member(self, group_id: int) -> Member:
        """Returns the member whose process leads this group."""
        return next(member for member in self.members if member.process.pid == group_id)

    @property
    def members(self) -> list[Member]:
        """The scheduler, the workers, and the web process where there is one."""
        return [self.scheduler, *self.workers, *([self.web] if self.web else [])]

    def take(self, grants: list[IssuedGrant]) -> None:
        """Hands grants of the provider in, as an application does after a user's consent."""
        given = [
            read(
                {
                    "organization_id": self._organization_of(grant.external_id),
                    "provider": PROVIDER,
                    "external_id": grant.external_id,
                    "access_token": grant.access_token,
                    "refresh_token": grant.refresh_token,
                    "expires_in": grant.expires_in,
                }
            )
            for grant in grants
        ]
        taken = registration.take(self.services, given)
        assert not taken.rejected, taken.rejected

    def _organization_of(self, external_id: str) -> str:
        """Returns whose an account is: the same at each of its consents."""
        return f"org-{crc32(external_id.encode()) % self.plan.organizations}"

    def reconnect(self, external_ids: list[str]) -> None:
        """Has these accounts connected again by their users, after a grant was lost."""
        if external_ids:
            self.take(self.provider.grant_again(external_ids))

    def command(self, *words: str) -> str:
        """Runs a command of `refresher` as a process to its good end; returns what it printed."""
        process = self.ground.spawn("-m", "refresher", *words, env=self._environment)
        code = process.wait(120)
        assert code == 0, process.output
        return process.output

    def settle_down(self) -> None:
        """Stops the scheduler, then the workers, cleanly: from here on nothing moves."""
        for member in self.members:
            with suppress(ProcessLookupError):
                os.killpg(member.process.pid, signal.SIGCONT)
            member.process.terminate()
            member.process.wait(60)

    def number(self, sql: str, **values: object) -> float:
        """Returns the one number of a query; 0 for null."""
        return float(self.rows(sql, **values)[0][0] or 0)

    def rows(self, sql: str, **values: object) -> list[Any]:
        """Returns all rows of a query; while Postgres is away, asks again for half a minute."""
        give_up_at = time.monotonic() + 30
        while True:
            try:
                with self.services.database.transaction() as db:
                    return list(db.execute(text(sql), values).all())
            except DatabaseUnavailable:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.05)


def _start_provider(ground: Ground, plan: Plan) -> tuple[Process, FakeProviderClient]:
    flags = {
        "client-secret": CLIENT_SECRET,
        "rotation": "always",
        "reuse": "revoke_family",
        "grace-seconds": plan.grace_seconds,
        "lifetime-seconds": plan.lifetime_seconds,
        "latency-seconds": plan.latency_seconds,
        "events-kept": 20,
    }
    arguments = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    process = ground.spawn("-m", "refresher.devkit.oauth_server", "--port", "0", *arguments)
    process.wait_for("\n")
    return process, FakeProviderClient(json.loads(process.output)["url"])


def _providers_toml(url: str) -> str:
    return f"""
        [providers.{PROVIDER}]
        token_url = "{url}/token"
        client_auth = "basic"

        [apps.{PROVIDER}]
        client_id = "fake-client"
        client_secret = "{CLIENT_SECRET}"
        """


def _environment(
    given: Mapping[str, object], triggers: Triggers, folder: Path, plan: Plan
) -> dict[str, str]:
    urls = {name.upper(): str(value) for name, value in given.items() if name.endswith("_url")}
    ours = {
        f"REFRESHER_{name.upper()}": str(value)
        for name, value in given.items()
        if not name.endswith("_url")
    }
    twice = {"CHAOS_TWICE": "1"} if plan.twice else {}
    chaos = {"CHAOS_TRIGGERS": str(folder / "triggers"), "PYTHONPATH": str(ROOT), "PORT": "0"}
    return {**urls, **ours, **twice, **chaos}
