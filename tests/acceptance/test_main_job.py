"""The main job against an OAuth server that we did not write: django-oauth-toolkit, strict on reuse.

Real scheduler and worker processes, real Postgres, real Redis, tokens of 20 seconds over six of their
lives, and a scheduler killed with -9 in the middle. The server's own request log is the referee.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from refresher.connections import oauth_apps, registration
from refresher.rules.connection import Sealed
from refresher.rules.registration import read
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.runtime.services import Services
from refresher.settings import load, sqlalchemy_url
from refresher.store import migrate
from tests.acceptance.authserver.harness import AuthServer
from tests.processes import Process, Spawner
from tests.waiting import wait_until

GRANTS = 50
LIFE_SECONDS = 20
LIVES = 6
START_SECONDS, RESTART_SECONDS = 8.0, 3.0
"""The first tokens end 12 s after seeding, later ones 4 s after they are due. A machine that takes
longer to start our processes must be late, by no more than a life."""
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]


@dataclass
class Deployment:
    """One transport's deployment: its own authorization server, database and processes."""

    server: AuthServer
    services: Services
    environment: dict[str, str]
    spawn: Spawner
    schedulers: list[Process] = field(default_factory=list)
    machine_is_slow: bool = False

    def start(self) -> None:
        """Starts the scheduler, and a worker first where the transport needs one."""
        if "REDIS_URL" in self.environment:
            arguments = ("--processes", "1", "--threads", "4")
            self.spawn("-m", "dramatiq", "refresher.actors", *arguments, env=self.environment)
        self.schedulers.append(self.spawn("-m", "refresher.scheduler", env=self.environment))
        processes = 1 + ("REDIS_URL" in self.environment)
        wait_until(lambda: number(self, REGISTERED) == processes, reason=self.spawn.outputs)
        self.machine_is_slow = time.time() - self.server.ready.seeded_at > START_SECONDS

    def kill_and_start_again(self) -> None:
        """Kills the scheduler with -9 between two refreshes, and starts another.

        Between two: this server has no grace, so a reply that was in flight could not be had again. It
        is frozen first, or it could claim between our look and its end.
        """
        scheduler = self.schedulers.pop()

        def is_idle() -> bool:
            scheduler.suspend()
            if number(self, LEASED) == 0:
                return True
            scheduler.resume()
            return False

        wait_until(is_idle)
        killed_at = time.monotonic()
        scheduler.kill()
        self.schedulers.append(self.spawn("-m", "refresher.scheduler", env=self.environment))
        self.schedulers[-1].wait_for("scheduler started")
        self.machine_is_slow |= time.monotonic() - killed_at > RESTART_SECONDS


@pytest.fixture
def deployments(
    tmp_path: Path,
    bare_database_url: str,
    database_url: str,
    redis_url: str,
    spawn: Spawner,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[Deployment]]:
    """Both transports, each against a server of its own with fifty grants of 20 s."""
    migrate.upgrade(sqlalchemy_url(bare_database_url))
    urls = {"redis": bare_database_url, "in_process": database_url}
    with ExitStack() as stack:
        made = []
        for transport, url in urls.items():
            directory = tmp_path / transport
            server = stack.enter_context(
                AuthServer(directory, grants=GRANTS, access_token_seconds=LIFE_SECONDS)
            )
            environment = _environment(server, directory, transport, url)
            if transport == "redis":
                environment["REDIS_URL"] = redis_url
            # The same deployment seen from the test: to hand connections in, to open what is stored.
            with monkeypatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                services = stack.enter_context(closing(wiring.build(load())))
            oauth_apps.sync_apps(services)
            taken = registration.take(services, [read(grant) for grant in server.grants()])
            assert (taken.created, taken.rejected) == (GRANTS, {})
            made.append(Deployment(server, services, environment, spawn))
            made[-1].start()
        yield made


def _environment(server: AuthServer, directory: Path, transport: str, url: str) -> dict[str, str]:
    file = directory / "providers.toml"
    file.write_text(
        f"""
        [providers.toolkit]
        token_url = "{server.token_url}"
        client_auth = "basic"

        [apps.toolkit]
        client_id = "{server.client_id}"
        client_secret_env = "TOOLKIT_SECRET"
        """
    )
    return {
        "DATABASE_URL": url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_PROVIDERS_FILE": str(file),
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": transport,
        "TOOLKIT_SECRET": server.client_secret,
        "PORT": "0",
    }


def test_every_token_stays_alive_and_no_refresh_token_is_spent_twice(
    deployments: list[Deployment],
) -> None:
    """Over six lives, through a kill -9 of the scheduler: none lost, none spent twice, none late."""
    # Given fifty connections of an application on each transport, and their processes
    started_at = time.monotonic()
    # When three lives have passed, and each scheduler is killed and started again
    half = GRANTS * LIVES // 2
    for d in deployments:
        wait_until(lambda d=d: refreshed(d) >= half, LIFE_SECONDS * LIVES)  # type: ignore[misc]
        assert all_active(d)
        d.kill_and_start_again()
    # Then after six lives every stored token is alive
    six_lives = LIFE_SECONDS * LIVES
    wait_until(lambda: time.monotonic() - started_at > six_lives, six_lives + 10)
    for d in deployments:
        assert all_active(d)
        (scheduler,) = d.schedulers
        scheduler.terminate()
        assert scheduler.wait() == 0, scheduler.output
        # And by the server's own log, no refresh token came twice, and none was refused
        assert refreshed(d) >= GRANTS * LIVES
        assert d.server.presented_twice() == 0
        assert {answer.status for answer in d.server.requests()} == {200}
        # And by ours, no token was ever expired, and every row is where it belongs
        assert number(d, EXPIRED) <= (LIFE_SECONDS if d.machine_is_slow else 0)
        assert number(d, "select count(*) from refresh_schedule where state = 2") == 0
        assert tells_no_secret(d)


EXPIRED = "select ceil(max(expired_seconds)) from refresh_event"
REGISTERED = "select count(*) from worker where stopped_at is null"
LEASED = "select count(*) from refresh_schedule where state = 1"


def refreshed(deployment: Deployment) -> int:
    """Returns how many refreshes succeeded so far."""
    return number(deployment, "select count(*) from refresh_event where kind = 'refreshed'")


def all_active(deployment: Deployment) -> bool:
    """Whether the server accepts every stored token; one just being replaced is asked again."""
    dead = set(stored(deployment))
    for _ in range(5):
        tokens = {id_: token for id_, token in stored(deployment).items() if id_ in dead}
        answers = deployment.server.introspect(list(tokens.values()))
        dead = {id_ for id_, ok in zip(tokens, answers, strict=True) if not ok}
        if not dead:
            return True
    return False


def stored(deployment: Deployment) -> dict[str, str]:
    """Returns every stored access token in the clear."""
    services = deployment.services
    with services.database.transaction() as db:
        rows = db.execute(text("select id, access_token from connection")).all()
    opened = services.cipher.open
    return {str(r[0]): opened(Sealed(r[1]), r[0], "access_token").reveal() for r in rows}


def tells_no_secret(deployment: Deployment) -> bool:
    """Whether neither a stored token nor the app's secret stands in any process's output."""
    said = deployment.spawn.outputs()
    secrets = [*stored(deployment).values(), deployment.environment["TOOLKIT_SECRET"]]
    return not any(secret in said for secret in secrets)


def number(deployment: Deployment, sql: str) -> int:
    """Returns the one number of a query."""
    with deployment.services.database.transaction() as db:
        return int(db.execute(text(sql)).scalar_one())
