"""The pytest plugin: fixtures, a marker, and flows that are off. Loaded by pytest by itself.

It is installed into every pytest run beside refresher, also where no test knows it: so nothing of
refresher is imported before a fixture is asked for. Names begin with `refresher_`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    from refresher.devkit.oauth_server import FakeProvider
    from refresher.store.scratch import ScratchServer
    from refresher.testing.history import EventRecorder
    from refresher.testing.sandbox import FrozenClock, Sandbox

FLOWS = ("integration_refresh", "notification_email", "webhook_delivery")
SERVER_VARIABLE = "REFRESHER_TEST_DATABASE_URL"
_numbers = count(1)
_set_by_us: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Turns every flow off, its transport to in_process, and lets requests go to this machine.

    What the environment says otherwise stays.
    """
    config.addinivalue_line(
        "markers",
        "refresher_flows(*names): lets these flows of refresher run in processes and schedulers that "
        f"the test starts (all of them without a name): {', '.join(FLOWS)}",
    )
    wanted = {"REFRESHER_ALLOW_INSECURE_HOSTS": "loopback"}  # where fake providers are
    for flow in FLOWS:
        wanted |= {_variable(flow, "ENABLED"): "false", _variable(flow, "TRANSPORT"): "in_process"}
    for name, value in wanted.items():
        if name not in os.environ:
            os.environ[name] = value
            _set_by_us.append(name)


def pytest_unconfigure() -> None:
    """Leaves the environment as it was."""
    while _set_by_us:
        os.environ.pop(_set_by_us.pop(), None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Turns the flows on that a test asks for with its marker."""
    marker = item.get_closest_marker("refresher_flows")
    if marker is None:
        return (yield)
    wanted = marker.args or FLOWS
    if unknown := sorted(set(wanted) - set(FLOWS)):
        raise pytest.UsageError(
            f"{item.nodeid}: refresher_flows names {', '.join(unknown)}; there is {', '.join(FLOWS)}"
        )
    with pytest.MonkeyPatch.context() as patch:
        for flow in wanted:
            patch.setenv(_variable(flow, "ENABLED"), "true")
        return (yield)


def _variable(flow: str, part: str) -> str:
    return f"REFRESHER_{flow.upper()}__{part}"


@pytest.fixture(scope="session")
def refresher_server() -> Iterator[ScratchServer]:
    """The PostgreSQL on which test databases are made.

    That of REFRESHER_TEST_DATABASE_URL, whose role may create databases; without it, one out of the
    extra `refresher[embedded]`, started for this session and gone with it.
    """
    import tempfile  # noqa: PLC0415  nothing before it is asked for

    from refresher.settings import sqlalchemy_url  # noqa: PLC0415
    from refresher.store.scratch import ScratchServer  # noqa: PLC0415

    with ExitStack() as stack:
        url = os.environ.get(SERVER_VARIABLE)
        if not url:
            from refresher.devkit.postgres import EmbeddedPostgres  # noqa: PLC0415

            # Not under pytest's own folder: as root, the server's account could not go there.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="refresher-tests-"))
            url = stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres")).url
        yield ScratchServer(sqlalchemy_url(url))


@pytest.fixture(scope="session")
def refresher_template(refresher_server: ScratchServer) -> Iterator[str]:
    """The name of a migrated database of which tests get copies."""
    name = f"refresher_template_{os.getpid()}"
    refresher_server.create_migrated(name)
    yield name
    refresher_server.drop(name)


@pytest.fixture
def refresher_database_url(
    refresher_server: ScratchServer, refresher_template: str
) -> Iterator[str]:
    """The URL of a fresh, migrated, empty database of this test's own. Override it to use another."""
    name = f"refresher_test_{os.getpid()}_{next(_numbers)}"
    yield refresher_server.create(name, refresher_template)
    refresher_server.drop(name)


@pytest.fixture
def refresher_provider() -> Iterator[FakeProvider]:
    """A running OAuth 2.0 provider with faults on demand and a ledger of what it did."""
    from refresher.devkit.oauth_server import FakeProvider  # noqa: PLC0415

    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def refresher_sandbox(
    refresher_database_url: str, refresher_provider: FakeProvider, tmp_path: Path
) -> Iterator[Sandbox]:
    """Real services on this test's database and provider, with a clock that stands still."""
    from refresher.testing.sandbox import Sandbox  # noqa: PLC0415

    sandbox = Sandbox.build(refresher_database_url, refresher_provider, tmp_path)
    yield sandbox
    sandbox.close()


@pytest.fixture
def refresher_events(refresher_sandbox: Sandbox) -> EventRecorder:
    """The events that happen in this test."""
    return refresher_sandbox.recorder


@pytest.fixture
def refresher_clock(refresher_sandbox: Sandbox) -> FrozenClock:
    """The clock that due dates, leases and expiries are read from."""
    return refresher_sandbox.clock


@pytest.fixture
def refresher_broker(
    refresher_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StubBroker]:
    """Dramatiq's StubBroker with refresher's actors on it, empty, working on this test's sandbox."""
    from dramatiq.brokers.stub import StubBroker  # noqa: PLC0415

    from refresher import actors  # noqa: PLC0415
    from refresher.runtime import broker  # noqa: PLC0415

    if not isinstance(broker.broker, StubBroker):
        pytest.fail(
            "refresher's actors were imported with the transport redis: set "
            f"{_variable('integration_refresh', 'TRANSPORT')}=in_process before the first import"
        )
    monkeypatch.setattr(actors, "services", lambda: refresher_sandbox.services)
    broker.broker.flush_all()
    yield broker.broker
    broker.broker.flush_all()


@pytest.fixture
def refresher_worker(refresher_broker: StubBroker) -> Iterator[dramatiq.Worker]:
    """A running worker on that broker; wait with `refresher_broker.join(queue)`, then its `join()`."""
    import dramatiq  # noqa: PLC0415

    worker = dramatiq.Worker(refresher_broker, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
