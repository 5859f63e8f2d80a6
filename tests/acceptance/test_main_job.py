"""The main job against an OAuth server that we did not write: django-oauth-toolkit, strict on reuse.

Real scheduler and worker processes, real Postgres, real Redis, tokens of 20 seconds over six of their
lives, and a scheduler killed with -9 in the middle. The server's own request log is the referee.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from refresher import apps, intake, wiring
from refresher.cipher import new_key
from refresher.rules.connection import Sealed
from refresher.rules.intake import read
from refresher.settings import load
from refresher.wiring import Services
from tests.acceptance.authserver.harness import AuthServer
from tests.processes import Process, Spawner
from tests.waiting import wait_until

GRANTS = 50
LIFE_SECONDS = 20
LIVES = 6
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AuthServer]:
    """An authorization server with fifty grants whose access tokens live 20 s."""
    with AuthServer(
        tmp_path / "authserver", grants=GRANTS, access_token_seconds=LIFE_SECONDS
    ) as running:
        yield running


@pytest.fixture(params=["redis", "in_process"])
def environment(
    request: pytest.FixtureRequest,
    server: AuthServer,
    tmp_path: Path,
    database_url: str,
    redis_url: str,
) -> dict[str, str]:
    """The settings of one deployment, with one provider and one app of the user's own."""
    file = tmp_path / "providers.toml"
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
    common = {
        "DATABASE_URL": database_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_PROVIDERS_FILE": str(file),
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": request.param,
        "TOOLKIT_SECRET": server.client_secret,
        "PORT": "0",
    }
    return common | ({"REDIS_URL": redis_url} if request.param == "redis" else {})


@pytest.fixture
def services(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    """The same deployment seen from the test: to hand connections in, and to open what is stored."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with closing(wiring.build(load())) as built:
        apps.sync_apps(built)
        yield built


def test_every_token_stays_alive_and_no_refresh_token_is_spent_twice(
    server: AuthServer, services: Services, environment: dict[str, str], spawn: Spawner
) -> None:
    """Over six lives, through a kill -9 of the scheduler: none lost, none spent twice, none late."""
    # Given fifty connections of an application, and the processes of a deployment
    taken = intake.take(services, [read(grant) for grant in server.grants()])
    assert (taken.created, taken.rejected) == (GRANTS, {})
    started_at = time.monotonic()
    scheduler = start(spawn, environment)
    # When three lives have passed, and the scheduler is killed and started again
    wait_until(lambda: refreshed(services) >= GRANTS * LIVES // 2, LIFE_SECONDS * LIVES)
    assert all_active(server, services)
    # (this server has no grace: a reply in flight at that moment could not be had again)
    wait_until(lambda: one(services, "select count(*) from refresh_schedule where state = 1") == 0)
    scheduler.kill()
    scheduler = spawn("-m", "refresher.scheduler", env=environment)
    # Then after six lives every stored token is alive
    wait_until(
        lambda: time.monotonic() - started_at > LIFE_SECONDS * LIVES,
        LIFE_SECONDS * LIVES + 10,
    )
    assert all_active(server, services)
    scheduler.terminate()
    assert scheduler.wait() == 0, scheduler.output
    # And by the server's own log, no refresh token came twice, and none was refused
    assert refreshed(services) >= GRANTS * LIVES
    assert server.presented_twice() == 0
    assert {answer.status for answer in server.requests()} == {200}
    # And by ours, no token was ever expired, and every row is where it belongs
    assert one(services, "select ceil(sum(expired_seconds)) from refresh_event") == 0
    assert one(services, "select count(*) from refresh_schedule where state = 2") == 0
    assert canary_free(services, environment, spawn)


def start(spawn: Spawner, environment: Mapping[str, str]) -> Process:
    """Starts a worker where the transport needs one, and the scheduler."""
    if "REDIS_URL" in environment:
        arguments = ("--processes", "1", "--threads", "4")
        spawn("-m", "dramatiq", "refresher.actors", *arguments, env=environment)
    return spawn("-m", "refresher.scheduler", env=environment)


def refreshed(services: Services) -> int:
    """Returns how many refreshes succeeded so far."""
    return one(services, "select count(*) from refresh_event where kind = 'refreshed'")


def all_active(server: AuthServer, services: Services) -> bool:
    """Whether the server accepts every stored token; one that is just being replaced is asked again."""
    dead = dict.fromkeys(stored(services), True)
    for _ in range(5):
        tokens = {id_: token for id_, token in stored(services).items() if id_ in dead}
        answers = server.introspect(list(tokens.values()))
        dead = {id_: True for id_, ok in zip(tokens, answers, strict=True) if not ok}
        if not dead:
            return True
    return False


def stored(services: Services) -> dict[str, str]:
    """Returns every stored access token in the clear."""
    with services.database.transaction() as db:
        rows = db.execute(text("select id, access_token from connection")).all()
    opened = services.cipher.open
    return {str(r[0]): opened(Sealed(r[1]), r[0], "access_token").reveal() for r in rows}


def canary_free(services: Services, environment: Mapping[str, str], spawn: Spawner) -> bool:
    """Whether no token that is stored, nor the app's secret, stands in any process's output."""
    said = spawn.outputs()
    secrets = [*stored(services).values(), environment["TOOLKIT_SECRET"]]
    return not any(secret in said for secret in secrets)


def one(services: Services, sql: str) -> int:
    """Returns the one number of a query."""
    with services.database.transaction() as db:
        return int(db.execute(text(sql)).scalar_one())
