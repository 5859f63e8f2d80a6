"""Fifty callers whose access token was revoked: each library survives, the provider is asked once."""

from __future__ import annotations

import pytest

from refresher.client import AsyncRefresher, Refresher
from tests.client.conftest import Place
from tests.client.libraries import MOST_AT_ONCE, TASKS, THREADS, Resource, serving
from tests.ports import LOOPBACK, free_port
from tests.processes import Spawner


@pytest.fixture
def web(place: Place, spawn: Spawner) -> dict[str, str]:
    """A web process of its own, and a key for it."""
    port = free_port()
    environment = {
        "DATABASE_URL": place.direct["database_url"],
        "REFRESHER_ENCRYPTION_KEYS": place.direct["encryption_keys"],
        "REFRESHER_PROVIDERS_FILE": place.direct["providers_file"],
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "PORT": str(port),
    }
    spawn("-m", "refresher.web", env=environment).wait_for("web started")
    return {**place.http, "api_url": f"http://{LOOPBACK}:{port}"}


@pytest.mark.slow
@pytest.mark.parametrize("latency_seconds", [0.0, 0.5])
def test_fifty_callers_and_one_refresh(place: Place, web: dict[str, str], latency_seconds: float):
    """httpx, httpx2, requests and aiohttp, threads and tasks: 200 for everybody, one refresh each."""
    place.provider.admin.change_options(latency_seconds=latency_seconds)
    found = {}
    resource = Resource()
    with serving(resource), Refresher(**web) as refresher:  # type: ignore[arg-type]

        def revoked() -> str:
            fields = place.fields()
            resource.refused.add(fields["access_token"])
            return str(refresher.register(**fields).id)

        def told(statuses: list[int], before: int, which: str) -> tuple[set[int], int, str]:
            assert len(statuses) == MOST_AT_ONCE
            presented = resource.presented[-1]
            assert presented == refresher.token(which).access_token.reveal()
            return set(statuses), place.requests() - before, "with a token that is good"

        for by in (*THREADS, *TASKS):
            which, before = revoked(), place.requests()
            statuses = by(refresher.auth(which), resource.url + "/me", MOST_AT_ONCE)
            found[by.__name__] = told(statuses, before, which)
        for task in TASKS:
            which, before = revoked(), place.requests()
            opened = AsyncRefresher(**web)  # type: ignore[arg-type]
            statuses = task(opened.auth(which), resource.url + "/me", MOST_AT_ONCE, opened)
            found[f"{task.__name__} awaited"] = told(statuses, before, which)
    place.provider.admin.change_options(latency_seconds=0)
    assert found == dict.fromkeys(found, ({200}, 1, "with a token that is good"))
    assert len(found) == len(THREADS) + 2 * len(TASKS)
