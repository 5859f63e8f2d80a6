"""Fixtures that every test may ask for. Services start at first use, once a session."""

import os
import signal
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import pytest
import redis
import structlog
from hypothesis import settings

from tests import quick_folder
from tests.coverage_files import remove_unfinished
from tests.guard import Guard
from tests.order import arrange
from tests.processes import Spawner
from tests.rules.samples import SAME_EACH_TIME
from tests.services import (
    PARTITIONS,
    REDIS_DATABASES,
    PostgresServer,
    RedisServer,
    migrate,
    spread,
    start_postgres,
)
from tests.world import World

quick_folder.use()
# An actor takes its broker from the environment when it is imported: here, Dramatiq's StubBroker.
os.environ["REFRESHER_INTEGRATION_REFRESH__TRANSPORT"] = "in_process"
os.environ["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"  # where the tests' providers are
os.environ.pop(
    "COLUMNS", None
)  # readline leaves the runner's to its workers; no test has a terminal
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background: our children would ignore Ctrl-C as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("same each time", SAME_EACH_TIME)
settings.load_profile("same each time")
TEMPLATE = "refresher_template"
_numbers = count(1)


_ordinary_nice = os.nice(0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has the long tests begin first, beside each other: one takes two minutes whatever we do."""
    arrange(items, getattr(config, "workerinput", {}).get("workercount", 1))


def pytest_configure(config: pytest.Config) -> None:
    """Loads our own plugin where the package was installed before it had one."""
    if not config.pluginmanager.has_plugin("refresher"):
        config.pluginmanager.import_plugin("refresher.testing.plugin")
    # Its switch is for other people's tests; ours start what they start on purpose.
    os.environ.pop("REFRESHER_INTEGRATION_REFRESH__ENABLED", None)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Leaves to pytest-cov, which combines what is there after this, only what can be read."""
    result = yield
    if not hasattr(session.config, "workerinput"):
        remove_unfinished(session.config.rootpath)
    return result


@pytest.fixture
def refresher_database_url(database_url: str) -> str:
    """The test kit works on our own server."""
    return database_url


@pytest.fixture(autouse=True)
def _make_way(request: pytest.FixtureRequest) -> None:
    """Lets acceptance tests, which live in real time, go before all that only wants to be done.

    Not by much: who shares the machine with us would leave us nothing.
    """
    if request.node.get_closest_marker("acceptance") is None and os.nice(0) == _ordinary_nice:
        os.nice(4)


@pytest.fixture(autouse=True)
def _leave_logging_alone() -> Iterator[None]:
    """Fails a test that leaves logging configured: loggers would keep that for all that come after."""
    before = structlog.get_config()
    yield
    if (left := structlog.get_config()) != before:
        structlog.configure(**before)
        pytest.fail(f"this test leaves logging configured: {left['logger_factory']}")


@pytest.fixture(scope="session")
def guard() -> Iterator[Guard]:
    """What ends our processes when pytest cannot."""
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture(scope="session")
def postgres(guard: Guard) -> Iterator[PostgresServer]:
    """A PostgreSQL server, one a session. A test that stops it should start it again."""
    server = start_postgres(guard)
    yield server
    server.close()


@pytest.fixture(scope="session")
def redis_server(guard: Guard) -> Iterator[RedisServer]:
    """A Redis server, one a session. A test that stops it should start it again."""
    server = RedisServer(guard)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated_template(postgres: PostgresServer) -> Iterator[str]:
    """The name of a migrated database of which tests get copies; never connect to it."""
    postgres.drop_database(TEMPLATE)
    migrate(url := postgres.create_database(TEMPLATE))
    spread(url, PARTITIONS)
    yield TEMPLATE
    postgres.start()
    postgres.drop_database(TEMPLATE)


@pytest.fixture
def database_url(postgres: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated, empty database of this test's own."""
    yield from _database(postgres, migrated_template)


@pytest.fixture
def other_database_url(postgres: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The URL of another one, for a second installation."""
    yield from _database(postgres, migrated_template)


@pytest.fixture(scope="module")
def module_database_url(postgres: PostgresServer, migrated_template: str) -> Iterator[str]:
    """Like `database_url`, shared by the tests of one module."""
    yield from _database(postgres, migrated_template)


@pytest.fixture
def bare_database_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a fresh database that has not been migrated."""
    yield from _database(postgres, "template1")


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis database that no neighbouring test uses."""
    redis_server.start()
    url = redis_server.url(next(_numbers) % REDIS_DATABASES)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Real services on a fresh database."""
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def spawn(guard: Guard, tmp_path: Path) -> Iterator[Spawner]:
    """Starts real processes: `spawn("-m", "refresher.scheduler", env={...})`."""
    spawner = Spawner(guard, tmp_path)
    yield spawner
    spawner.close()


def _database(postgres: PostgresServer, template: str) -> Iterator[str]:
    postgres.start()
    name = f"refresher_test_{next(_numbers)}"
    postgres.drop_database(name)
    yield postgres.create_database(name, template)
    postgres.start()
    postgres.drop_database(name)
