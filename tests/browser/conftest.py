"""Fixtures of the tests in a browser: Chromium once, servers once a module, profiles for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from refresher.devkit.oauth_server import FakeProvider, Options
from tests import loopback
from tests.browser import application, chromium
from tests.browser.application import Application
from tests.browser.chromium import Chromium
from tests.browser.deployment import FAKE, OIDC_PROVIDER, SHOP, TOOLKIT, Deployment, entry
from tests.browser.journey import Journey
from tests.browser.people import AtDjango, AtFake, AtOidcProvider
from tests.foreign.programs import running
from tests.guard import Guard
from tests.processes import Spawner


@pytest.fixture(scope="package")
def _chromium() -> Iterator[Chromium]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def browser(_chromium: Chromium) -> Iterator[Chromium]:
    """Chromium; the profiles of a test end with it."""
    yield _chromium
    _chromium.close_profiles()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a module's own."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def app() -> Iterator[Application]:
    """The application that people come from, and return to."""
    with application.running() as running_one:
        yield running_one


@pytest.fixture(scope="module")
def bare(
    guard: Guard, folder: Path, module_database_url: str, app: Application
) -> Iterator[Deployment]:
    """A deployment that is not started yet."""
    spawner = Spawner(guard, folder)
    given = {"REFRESHER_CONNECT_RETURN_URLS": app.url, "REFRESHER_WEB_PROCESSES": "2"}
    yield Deployment(spawner, module_database_url, folder, given)
    spawner.close()


@dataclass
class Site:
    """A deployment with the two servers that we did not write, and an application."""

    deployment: Deployment
    app: Application
    oidc: dict[str, Any]
    toolkit: dict[str, Any]
    fake: FakeProvider
    browser: Chromium

    def person(self, name: str = "ann") -> Journey:
        """Returns a person with a browser of her own, at oidc-provider."""
        return Journey.begun(self.deployment, AtOidcProvider(name), self.browser)

    def at_toolkit(self, name: str = "ann") -> Journey:
        """The like at django-oauth-toolkit."""
        person = AtDjango(self.toolkit["password"], name)
        return Journey.begun(self.deployment, person, self.browser)

    def at_fake(self, name: str = "ann", unticks: tuple[str, ...] = ()) -> Journey:
        """The like at our own fake provider, which misbehaves on demand."""
        return Journey.begun(self.deployment, AtFake(name, unticks), self.browser)

    def counted(self, what: str = "authorization_code") -> int:
        """Returns how often oidc-provider's token endpoint was asked for this, however it ended."""
        counts = loopback.get(f"{self.oidc['url']}/counted").json()
        return sum(n for name, n in counts.items() if name.startswith(what))


@pytest.fixture(scope="module")
def servers(folder: Path, bare: Deployment) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """oidc-provider and django-oauth-toolkit, which know the deployment's redirect URIs."""
    with (
        running("consent.mjs", folder / "oidc.log", bare.callback("oidc")) as oidc,
        running("django_consent", folder / "dj.log", folder, bare.callback("toolkit")) as toolkit,
    ):
        yield oidc, toolkit


@pytest.fixture(scope="module")
def fake_provider() -> Iterator[FakeProvider]:
    """Our own fake provider, which is of another site than we are, as the others."""
    with FakeProvider(Options(consent="page", tell_issuer=True)) as provider:
        provider.admin.change_options(issuer=elsewhere(provider))
        yield provider


def elsewhere(provider: FakeProvider) -> str:
    """Returns the fake provider's URL by its other name."""
    return provider.url.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def deployment(
    bare: Deployment, servers: tuple[dict[str, Any], dict[str, Any]], fake_provider: FakeProvider
) -> Iterator[Deployment]:
    """The deployment, started with an entry for each."""
    oidc, toolkit = servers
    told = {"url": elsewhere(fake_provider)}
    entries = entry(OIDC_PROVIDER, oidc) + entry(TOOLKIT, toolkit)
    bare.start(entries + entry(FAKE, told) + entry(SHOP, told))
    yield bare
    bare.close()


@pytest.fixture
def site(
    deployment: Deployment,
    app: Application,
    servers: tuple[dict[str, Any], dict[str, Any]],
    fake_provider: FakeProvider,
    browser: Chromium,
) -> Iterator[Site]:
    """All of it, with fresh profiles, and a fake provider that behaves."""
    app.returned.clear()
    usual = {k: v for k, v in fake_provider.admin.options().items() if k != "client_id"}
    yield Site(deployment, app, *servers, fake_provider, browser)
    fake_provider.admin.clear_faults()
    fake_provider.admin.change_options(**usual)
