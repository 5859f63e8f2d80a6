"""Fixtures of the journeys: one deployment for each module, profiles for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.devkit.oauth_server import FakeProvider, Options
from tests.browser.chromium import Chromium
from tests.browser.conftest import elsewhere
from tests.browser.dashboard.kit import Dash
from tests.browser.deployment import FAKE, Deployment, entry
from tests.guard import Guard
from tests.processes import Spawner


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """The fake provider, with accounts whose tokens live for an hour."""
    with FakeProvider(Options(consent="page", tell_issuer=True, lifetime_seconds=3600)) as made:
        made.admin.change_options(issuer=elsewhere(made))
        yield made


@pytest.fixture(scope="module")
def running(
    guard: Guard, folder: Path, module_database_url: str, provider: FakeProvider
) -> Iterator[Deployment]:
    """A web and a scheduler process."""
    spawner = Spawner(guard, folder)
    deployment = Deployment(spawner, module_database_url, folder)
    deployment.start(entry(FAKE, {"url": elsewhere(provider)}))
    yield deployment
    deployment.close()
    spawner.close()


@pytest.fixture
def dash(running: Deployment, provider: FakeProvider, browser: Chromium) -> Iterator[Dash]:
    """The dashboard; what a browser complained of fails the test that had it do so."""
    made = Dash(running, provider, browser)
    yield made
    provider.admin.clear_faults()
    assert made.complaints == []
