"""Whom one connection's trouble may touch, from end to end: real processes, tokens of seconds.

The rules are tested beside their code; here scheduler and worker must live by them, on each transport.
Plain http goes to this machine alone, so what stands for each connection's host is a part of the URL:
to the rules that is the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from refresher.connections import oauth_apps, registration
from refresher.rules.connection import connection_id
from refresher.rules.registration import read
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.runtime.services import Services
from refresher.settings import load
from refresher.testing import FakeProvider, Options
from tests.processes import Spawner
from tests.waiting import wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(400)]
LIFE_SECONDS = 15.0
REFRESHES = 3
"""So often each good connection must be refreshed: in about two lives."""
SETTINGS: dict[str, object] = {
    "lead_share": 0.4,
    "allow_insecure_hosts": "loopback",
    "attempt_interval_seconds": 2,
    "breaker_failures": 5,
    "breaker_pause_seconds": 1,
    "breaker_max_seconds": 2,
}
PROVIDERS = """
[providers.acme]
token_url = "{url}/token"
client_auth = "basic"

[providers.shops]
token_url = "{url}/token?shop={{shop}}"
placeholders = {{ shop = "[a-z0-9]+" }}
client_auth = "basic"

[apps]
acme = {{ client_id = "fake-client", client_secret = "fake-secret" }}
shops = {{ client_id = "fake-client", client_secret = "fake-secret" }}
"""


@dataclass
class Deployment:
    """A provider, a database, and the processes, once they are started."""

    provider: FakeProvider
    services: Services
    start: Callable[[], None]

    def connect(self, name: str, shop: str | None = None, **fields: object) -> UUID:
        """Connects an account of an organization of its own; with a shop, at that one's URL."""
        grant = self.provider.admin.grant_again([name])[0]
        given = {
            "organization_id": f"org-{name}",
            "provider": "shops" if shop else "acme",
            "external_id": name,
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires_in": grant.expires_in,
            **({"placeholders": {"shop": shop}} if shop else {}),
            **fields,
        }
        taken = registration.take(self.services, [read(given)])
        assert not taken.rejected, taken.rejected
        return connection_id(f"org-{name}", str(given["provider"]), name)

    def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """Returns the rows of a query."""
        with self.services.database.transaction() as db:
            return [tuple(row) for row in db.execute(text(sql), values)]

    def wait_until_refreshed(self, ids: Sequence[UUID], times: int) -> None:
        """Returns when each of these has been refreshed so often."""
        wait_until(
            lambda: self.rows(REFRESHED, ids=list(ids), times=times) == [(len(ids),)],
            120,
            lambda: f"{self.rows(STORY)}",
        )

    def assert_unharmed(self, ids: Sequence[UUID]) -> None:
        """Fails where one of these was held up, or had a dead token."""
        assert self.rows(HELD_UP, ids=list(ids)) == [(0, 0.0)], self.rows(STORY)


REFRESHED = """
    select count(*) from (select connection_id from refresh_event
                          where kind = 'refreshed' and connection_id = any(:ids)
                          group by 1 having count(*) >= :times) enough
"""
HELD_UP = """
    select count(*) filter (where kind = 'postponed'), max(expired_seconds) from refresh_event
    where connection_id = any(:ids)
"""
STORY = """
    select c.external_id, e.kind, e.reason, e.postponed_by, count(*) from refresh_event e
    join connection c on c.id = e.connection_id group by 1, 2, 3, 4 order by 1
"""
PAUSED = """
    select scope, host from pause where refusals > 0 and organization_id is null order by 1, 2
"""


@pytest.fixture(params=["in_process", "redis"])
def deployment(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    spawn: Spawner,
) -> Iterator[Deployment]:
    """A deployment that has not been started."""
    with FakeProvider(Options(lifetime_seconds=LIFE_SECONDS, grace_seconds=300)) as provider:
        file = tmp_path / "providers.toml"
        file.write_text(PROVIDERS.format(url=provider.url))
        ours = {**SETTINGS, "encryption_keys": new_key(), "providers_file": file}
        given = {"database_url": database_url, "redis_url": redis_url, **ours}
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            **{f"REFRESHER_{name.upper()}": str(value) for name, value in ours.items()},
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": request.param,
            "PORT": "0",
        }

        def start() -> None:
            if request.param == "redis":
                arguments = ("--processes", "1", "--threads", "2")
                spawn("-m", "dramatiq", "refresher.actors", *arguments, env=environment)
            spawn("-m", "refresher.scheduler", env=environment)

        with closing(wiring.build(load(**given))) as services:
            oauth_apps.sync_apps(services)
            yield Deployment(provider, services, start)


def test_a_refused_connection_costs_the_others_of_its_app_nothing(deployment: Deployment) -> None:
    """Twelve of one app, one `invalid_client`: eleven are never held up, and none has a dead token."""
    admin = deployment.provider.admin
    admin.add_fault("error", match="refused", error="invalid_client", status=401)
    bad = deployment.connect("refused", expires_in=5)
    good = [deployment.connect(f"good-{n}") for n in range(11)]
    deployment.start()
    deployment.wait_until_refreshed(good, REFRESHES)
    deployment.assert_unharmed(good)
    assert deployment.rows(PAUSED) == []
    assert 1 <= admin.faults()[0]["struck"] <= 3, "it is tried alone, ever more seldom"
    assert deployment.rows("select status from connection where id = :id", id=bad) == [("active",)]


def test_a_host_that_asks_for_a_day_holds_no_other_host(deployment: Deployment) -> None:
    """Of ten hosts one answers 429 and `Retry-After: 86400`: nine never notice."""
    admin = deployment.provider.admin
    admin.add_fault("status_429", match="busy", retry_after_seconds=86_400)
    for n in range(6):
        deployment.connect(f"busy-{n}", "busy", expires_in=5)
    good = [deployment.connect(f"good-{n}", f"shop{n}") for n in range(9)]
    deployment.start()
    deployment.wait_until_refreshed(good, REFRESHES)
    deployment.assert_unharmed(good)
    assert deployment.rows(PAUSED) == [("provider", "busy")]


def test_those_whose_tokens_died_in_an_outage_go_first(deployment: Deployment) -> None:
    """With the first answer of a host that was down all go on, dead tokens before the living."""
    admin = deployment.provider.admin
    admin.add_fault("status_503")
    living = [deployment.connect(f"living-{n}", "away", expires_in=3600) for n in range(6)]
    deployment.rows(DUE_NOW, ids=living)
    dead = [deployment.connect(f"dead-{n}", "away", expires_in=1) for n in range(12)]
    deployment.start()
    wait_until(
        lambda: deployment.rows(WAITING)[0][0] >= 17, 60, lambda: f"{deployment.rows(STORY)}"
    )
    admin.change_options(lifetime_seconds=3600)
    admin.clear_faults()
    deployment.wait_until_refreshed([*living, *dead], 1)
    # Whose own wait was over at that moment is claimed with the first: a prober, and the one behind it.
    ((early,),) = deployment.rows(EARLY, dead=dead, living=living)
    assert early <= 2, deployment.rows(ORDER)


DUE_NOW = """
    update refresh_schedule set due_at = refresher_now() where connection_id = any(:ids)
    returning connection_id
"""
WAITING = """
    select count(*) from refresh_schedule where state = 0 and postponed_by like 'provider:%'
"""
EARLY = """
    select count(*) from refresh_event
    where kind = 'refreshed' and connection_id = any(:living)
        and claimed_at < (select max(claimed_at) from refresh_event
            where kind = 'refreshed' and connection_id = any(:dead))
        and id <> (select min(id) from refresh_event where kind = 'refreshed')
"""
ORDER = """
    select c.external_id, e.claimed_at from refresh_event e join connection c on c.id = e.connection_id
    where e.kind = 'refreshed' order by e.id
"""
