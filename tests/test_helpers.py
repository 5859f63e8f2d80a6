"""A scheduler with a helper (REFRESHER_IN_PROCESS_PROCESSES=2): real processes on a real database."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from bench.refreshes.seed import providers_toml, seed
from bench.servers import provider
from refresher.errors import DatabaseUnavailable
from refresher.runtime.cipher import new_key
from refresher.runtime.helpers import Helpers
from refresher.runtime.services import build
from refresher.settings import load
from tests import loopback
from tests.ports import free_port
from tests.processes import Process, Spawner
from tests.services import plain
from tests.waiting import wait_until

ROWS = 40
LATENCY_SECONDS = 1.5
OF_HELPERS = "select process_id from worker where role = 'worker' and stopped_at is null"
IN_FLIGHT = """
    select count(*) from refresh_schedule s join worker w on w.id = s.holder_id
    where s.state = 1 and s.begun_token = s.lease_token and w.process_id = %s
"""
LEASED = "select count(*) from refresh_schedule where state = 1"
OVER = "select count(*) from refresh_schedule where state = 0 and due_at > now()"


@dataclass
class Deployment:
    """A scheduler with one helper, and forty connections at a provider that takes its time."""

    url: str
    environment: dict[str, str]
    scheduler: Process

    def number(self, statement: str, *values: object) -> int:
        """Returns the first number of an answer, -1 where there is none."""
        with psycopg.connect(self.url) as db:
            row = db.execute(statement, values or None).fetchone()
            return int(row[0]) if row else -1

    def helper(self) -> int:
        """Waits until a helper lives; returns its process number."""
        living = lambda pid: pid > 0 and psutil.pid_exists(pid)  # noqa: E731
        wait_until(lambda: living(self.number(OF_HELPERS)), reason=lambda: self.scheduler.output)
        return self.number(OF_HELPERS)

    def make_due(self) -> None:
        """Has all rows be due at once."""
        with psycopg.connect(self.url) as db:
            db.execute("update refresh_schedule set due_at = now()")

    def fly(self, *pids: int) -> None:
        """Has all rows be due, until each of these processes has some with the provider."""

        def do_fly() -> bool:
            # A helper that is registered may not be ready yet: then others do all of it.
            if self.number(LEASED) == 0:
                self.make_due()
            return all(self.number(IN_FLIGHT, pid) > 0 for pid in pids)

        wait_until(do_fly, reason=lambda: self.scheduler.output)

    def await_end(self, why: Callable[[], str]) -> None:
        """Waits until each row has a fresh token, and its next due time."""
        wait_until(lambda: self.number(OVER) == ROWS, reason=why)


@pytest.fixture
def deployment(database_url: str, tmp_path: Path, spawn: Spawner) -> Iterator[Deployment]:
    """Two processes that refresh, up and registered."""
    with provider(LATENCY_SECONDS) as token_url:
        file = tmp_path / "providers.toml"
        file.write_text(providers_toml(token_url))
        key = new_key()
        environment = {
            "DATABASE_URL": database_url,
            "PORT": str(free_port()),
            "REFRESHER_BATCH_SIZE": "5",
            "REFRESHER_ENCRYPTION_KEYS": key,
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
            "REFRESHER_IN_PROCESS_PROCESSES": "2",
            "REFRESHER_PROVIDERS_FILE": str(file),
        }
        services = build(
            load(
                database_url=database_url,
                encryption_keys=key,
                providers_file=str(file),
                allow_insecure_hosts="loopback",
            )
        )
        seed(services, ROWS)
        services.close()
        scheduler = spawn("-m", "refresher.scheduler", env=environment)
        made = Deployment(plain(database_url), environment, scheduler)
        made.helper()
        yield made


@pytest.mark.slow
def test_a_helper_that_is_killed_loses_nothing_and_comes_again(deployment: Deployment) -> None:
    """With rows at the provider, by kill -9: the sweep finds them, and another helper is started."""
    # Given both processes with rows in flight
    helper = deployment.helper()
    deployment.fly(helper, deployment.scheduler.pid)
    # When
    os.kill(helper, signal.SIGKILL)
    # Then all are refreshed, and there is another helper
    deployment.await_end(lambda: deployment.scheduler.output)
    wait_until(lambda: deployment.helper() != helper)
    assert "a helping process ended; starting it again" in deployment.scheduler.output
    # And it takes part again; what the processes counted is told by one
    deployment.fly(deployment.helper())
    deployment.await_end(lambda: deployment.scheduler.output)
    told = loopback.get(f"http://127.0.0.1:{deployment.environment['PORT']}/metrics").text
    counted = re.findall(
        r'^refresher_refreshes_total.*outcome="refreshed".* (\S+)$', told, re.MULTILINE
    )
    assert sum(map(float, counted)) >= 2 * ROWS, told


@pytest.mark.slow
def test_a_helper_ends_with_its_scheduler(deployment: Deployment, spawn: Spawner) -> None:
    """After kill -9 of the scheduler the helper is gone soon, and a new scheduler finishes the rows."""
    # Given
    helper = deployment.helper()
    deployment.fly(helper, deployment.scheduler.pid)
    # When
    os.kill(deployment.scheduler.pid, signal.SIGKILL)
    # Then
    wait_until(lambda: not psutil.pid_exists(helper), reason=lambda: deployment.scheduler.output)
    again = spawn("-m", "refresher.scheduler", env=deployment.environment)
    deployment.await_end(lambda: again.output)


@pytest.mark.slow
def test_a_stop_lets_both_finish_what_is_in_flight(deployment: Deployment) -> None:
    """SIGTERM: what either process has sent is stored, both note a clean stop, nothing stays leased."""
    # Given
    helper = deployment.helper()
    deployment.fly(helper, deployment.scheduler.pid)
    # When
    deployment.scheduler.terminate()
    # Then
    assert deployment.scheduler.wait() == 0, deployment.scheduler.output
    assert not psutil.pid_exists(helper)
    assert deployment.number("select count(*) from worker where stopped_at is null") == 0
    assert deployment.number(LEASED) == 0
    assert "killed it" not in deployment.scheduler.output


def test_without_helpers_everything_is_done_here() -> None:
    """No process is started, and whatever the work raises goes on."""

    def away() -> dict[str, int]:
        raise DatabaseUnavailable("away")

    helpers = Helpers()
    helpers.start(0)
    assert helpers.share([("id", 1)], lambda: {"refreshed": 1}) == {"refreshed": 1}
    with pytest.raises(DatabaseUnavailable):
        helpers.share([("id", 1)], away)
    helpers.ask_to_stop()
    helpers.stop(1.0)
