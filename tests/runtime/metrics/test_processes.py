"""Scrapes of real processes: several workers behind one PORT, and a deployment whose workers stop."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from refresher.devkit.oauth_server import FakeProvider
from refresher.runtime.cipher import new_key
from tests.ports import free_port
from tests.processes import Process, Spawner
from tests.runtime.metrics.kit import Scrape, read
from tests.waiting import wait_until

PROVIDERS = """
[providers.fake]
token_url = "{url}/token"
[apps.fake]
client_id = "fake-client"
client_secret = "fake-secret"
"""
GRANTS = 60


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider that rotates."""
    with FakeProvider() as running:
        yield running


@pytest.fixture
def environment(
    provider: FakeProvider, tmp_path: Path, database_url: str, redis_url: str
) -> dict[str, str]:
    """The settings of a deployment on Redis, without ports."""
    file = tmp_path / "providers.toml"
    file.write_text(PROVIDERS.format(url=provider.url))
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_PROVIDERS_FILE": str(file),
        "REFRESHER_BATCH_SIZE": "5",
        "REFRESHER_METRICS_CACHE_SECONDS": "0.01",
        "TMPDIR": str(tmp_path),
        "PORT": "0",
    }


def scraper(port: int) -> Callable[[], Scrape]:
    """Returns what scrapes a process on this port; an empty scrape while nobody answers."""

    def scrape() -> Scrape:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return Scrape()
        assert answer.status_code == 200, answer.text
        return read(answer.text)

    return scrape


def hand_in(
    provider: FakeProvider, folder: Path, environment: dict[str, str], spawn: Spawner
) -> None:
    """Imports connections whose tokens have expired."""
    lines = [
        json.dumps(
            {
                "organization_id": "org",
                "provider": "fake",
                "external_id": grant.external_id,
                "access_token": grant.access_token,
                "refresh_token": grant.refresh_token,
                "expires_in": 1,
            }
        )
        for grant in provider.admin.create_grants(GRANTS)
    ]
    file = folder / "connections.jsonl"
    file.write_text("\n".join(lines))
    imported = spawn("-m", "refresher", "connections", "import", str(file), env=environment)
    assert imported.wait() == 0, imported.output


@pytest.mark.slow
def test_metrics_follow_a_deployment_whose_workers_come_and_go(
    provider: FakeProvider, environment: dict[str, str], tmp_path: Path, spawn: Spawner
) -> None:
    """Workers behind one PORT count together; without them the overdue gauge rises at once."""
    # Given a scheduler, due rows and no worker
    hand_in(provider, tmp_path, environment, spawn)
    ports = free_port(), free_port()
    scheduler, workers = map(scraper, ports)
    spawn("-m", "refresher.scheduler", env=environment | {"PORT": str(ports[0])})
    wait_until(lambda: scheduler()("processes", role="scheduler", state="alive") == 1, 30)
    wait_until(lambda: scheduler()("queue_messages") > 0, 30)
    seen = scheduler()
    assert seen("expired_tokens") == GRANTS
    assert seen("processes", role="worker", state="alive") == 0
    assert seen("rows", state="leased") == GRANTS
    # When two worker processes start beside each other on one PORT
    two = ("-m", "dramatiq", "refresher.actors", "--processes", "2", "--threads", "1")
    worker = spawn(*two, env=environment | {"PORT": str(ports[1])})
    labels = {"provider": "fake", "outcome": "refreshed"}
    # Then whichever serves it tells what both did, and the scheduler that all is well
    wait_until(
        lambda: workers()("refreshes_total", **labels) == GRANTS,
        30,
        lambda: f"{workers().samples}\n{worker.output}",
    )
    assert workers()("exchange_seconds_count", provider="fake") == GRANTS
    assert _who_refreshed(environment) == 2, "both had a part in it"
    seen = scheduler()
    assert seen("expired_tokens") == seen("queue_messages") == 0
    assert seen("processes", role="worker", state="alive") == 2
    assert seen("claims_total") == GRANTS
    assert [f.name for f in tmp_path.glob("refresher-metrics-*")]
    _stop_and_look(environment, tmp_path, scheduler, worker, spawn)


def _stop_and_look(
    environment: dict[str, str],
    tmp_path: Path,
    scheduler: Callable[[], Scrape],
    worker: Process,
    spawn: Spawner,
) -> None:
    # When the workers stop, and rows become due
    worker.terminate()
    assert worker.wait() == 0, worker.output
    assert not list(tmp_path.glob("refresher-metrics-*")), "the last one out removes the files"
    with psycopg.connect(environment["DATABASE_URL"].replace("+psycopg", "")) as db:
        db.execute("update refresh_schedule set due_at = now() - interval '90 seconds'")
    # Then the next scrape tells that nobody works and what waits, and doctor says what to do
    seen = scheduler()
    assert seen("processes", role="worker", state="alive") == 0
    assert 90 <= seen("oldest_overdue_seconds") < 200
    assert seen("overdue_rows") == GRANTS
    doctor = spawn("-m", "refresher", "doctor", "--json", env=environment)
    assert doctor.wait() == 1, doctor.output
    findings = json.loads(doctor.output.splitlines()[-1])["findings"]
    mends = {f["check"]: f["mend"] for f in findings if f["level"] == "fail"}
    assert "dramatiq refresher.actors" in mends["worker"]
    assert "60" in next(f["message"] for f in findings if f["check"] == "due")


def _who_refreshed(environment: dict[str, str]) -> int:
    """Returns how many worker processes have registered."""
    with psycopg.connect(environment["DATABASE_URL"].replace("+psycopg", "")) as db:
        row = db.execute("select count(*) from worker where role = 'worker'").fetchone()
    assert row is not None
    return int(row[0])
