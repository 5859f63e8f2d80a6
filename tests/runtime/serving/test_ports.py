"""What processes answer on: PORT, with or without a token, a port for the status, or none at all."""

from collections.abc import Iterator

import httpx
import pytest

from refresher.runtime.cipher import new_key
from refresher.runtime.serving.sockets import listen
from tests import loopback
from tests.ports import free_port
from tests.processes import Spawner
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
TOKEN = "a-token-for-the-status-page"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
INNER = ("/health/status", "/metrics")
WEB, SCHEDULER = ("-m", "refresher.web"), ("-m", "refresher.scheduler")
WORKER = ("-m", "refresher.worker", "--processes", "2", "--threads", "1")


@pytest.fixture
def settings(database_url: str, redis_url: str) -> dict[str, str]:
    """The settings of a deployment on Redis, on a port of its own."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "PORT": str(free_port()),
    }


@pytest.fixture
def taken(settings: dict[str, str]) -> Iterator[None]:
    """Somebody else has the port."""
    theirs = listen("localhost", int(settings["PORT"]))
    yield
    for one in theirs:
        one.close()


def ask(port: str, path: str, **headers: str) -> httpx.Response | None:
    """Asks a page; None while nobody answers."""
    try:
        return loopback.get(f"http://127.0.0.1:{port}{path}", headers=headers)
    except httpx.ConnectError:
        return None


def statuses(port: str, **headers: str) -> list[int | None]:
    """How health, status and metrics answer."""
    answers = [ask(port, path, **headers) for path in ("/health", *INNER)]
    return [None if answer is None else answer.status_code for answer in answers]


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("command", "more"),
    [(WEB, {}), (WEB, {"REFRESHER_WEB_PROCESSES": "2"}), (SCHEDULER, {}), (WORKER, {})],
    ids=["web", "two web processes", "scheduler", "workers"],
)
def test_a_process_without_its_port_ends(
    command: tuple[str, ...], more: dict[str, str], settings: dict[str, str], spawn: Spawner
) -> None:
    """One sentence and 2: it must not run while somebody else answers its callers and its probes."""
    process = spawn(*command, env=settings | more)
    assert process.wait() == 2, process.output
    sentence = f"PORT is {settings['PORT']}, where another process listens already"
    wait_until(lambda: sentence in process.output, reason=lambda: process.output)
    assert "Traceback" not in process.output
    assert "started" not in process.output


def test_an_address_that_is_not_ours_is_told(settings: dict[str, str], spawn: Spawner) -> None:
    """The sentence names the setting, also where it has its earlier name."""
    for name in ("REFRESHER_HOST", "REFRESHER_HEALTH_HOST"):
        given = settings | {"REFRESHER_HOST": "", name: "203.0.113.9"}
        process = spawn(*SCHEDULER, env=given)
        assert process.wait() == 2
        assert (
            "REFRESHER_HOST is 203.0.113.9, which is no address of this machine" in process.output
        )


def test_the_api_s_port_shows_health_alone(settings: dict[str, str], spawn: Spawner) -> None:
    """Status and metrics tell of the whole deployment; `/` leads to the documentation."""
    process = spawn(*WEB, env=settings)
    wait_until(lambda: statuses(settings["PORT"]) == [200, 404, 404], 60, lambda: process.output)
    hidden = ask(settings["PORT"], "/metrics")
    root = ask(settings["PORT"], "/")
    assert hidden is not None
    assert "REFRESHER_STATUS_TOKEN" in hidden.text
    assert root is not None
    assert (root.status_code, root.headers["location"]) == (307, "/docs")


@pytest.mark.parametrize("command", [WEB, SCHEDULER], ids=["web", "scheduler"])
def test_a_token_opens_them(
    command: tuple[str, ...], settings: dict[str, str], spawn: Spawner
) -> None:
    """On every port, and nothing else does."""
    process = spawn(*command, env=settings | {"REFRESHER_STATUS_TOKEN": TOKEN})
    port = settings["PORT"]
    wait_until(lambda: statuses(port, **BEARER) == [200, 200, 200], 60, lambda: process.output)
    assert statuses(port) == [200, 401, 401]
    assert statuses(port, Authorization=f"Bearer {TOKEN}x") == [200, 401, 401]
    assert statuses(port, Authorization="Basic x") == [200, 401, 401]


@pytest.mark.parametrize(
    ("command", "more"),
    [(WEB, {}), (WEB, {"REFRESHER_WEB_PROCESSES": "2"}), (SCHEDULER, {}), (WORKER, {})],
    ids=["web", "two web processes", "scheduler", "workers"],
)
def test_they_may_have_a_port_of_their_own(
    command: tuple[str, ...], more: dict[str, str], settings: dict[str, str], spawn: Spawner
) -> None:
    """Also where several processes share the settings: one of them answers."""
    inner = str(free_port())
    process = spawn(*command, env=settings | {"REFRESHER_STATUS_PORT": inner} | more)
    wait_until(lambda: statuses(inner) == [200, 200, 200], 60, lambda: process.output)
    wait_until(lambda: statuses(settings["PORT"]) == [200, 404, 404], 60, lambda: process.output)


def test_the_status_names_no_server(settings: dict[str, str], spawn: Spawner) -> None:
    """While Postgres is away, neither user nor host nor database is told."""
    settings["DATABASE_URL"] = f"postgresql://somebody@127.0.0.1:{free_port()}/accounts"
    process = spawn(*SCHEDULER, env=settings)
    wait_until(
        lambda: ask(settings["PORT"], "/health/status") is not None, 60, lambda: process.output
    )
    told = ask(settings["PORT"], "/health/status")
    assert told is not None
    assert told.json()["database"] == {
        "ok": False,
        "error": "Postgres cannot be used; the log tells why",
    }
    assert not any(word in told.text for word in ("somebody", "127.0.0.1", "accounts"))
