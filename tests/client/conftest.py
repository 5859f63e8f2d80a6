"""A provider, a database and an API for the tests of one module; each test has a grant of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from refresher.client import Connection, Refresher
from refresher.connections.oauth_apps import sync_apps
from refresher.devkit.oauth_server import FakeProvider
from refresher.runtime import services
from refresher.runtime.cipher import new_key
from refresher.settings import load
from tests.client import api
from tests.ports import LOOPBACK, free_port

BACK = "https://app.example/connected"
PROVIDERS = """
[providers.acme]
token_url = "{url}/token"
authorize_url = "{url}/authorize"
access_token_lifetime_seconds = 3600
slots.user = {{ path = ["authed_user"] }}
identity_url = "{url}/userinfo"
connect.identity = {{ found_in = "userinfo", paths = ["sub"], label_path = "email" }}

[providers.google]
extends = "google"
token_url = "{url}/token"

[apps.acme]
client_id = "fake-client"
client_secret = "fake-secret"

[apps.google]
client_id = "fake-client"
client_secret = "fake-secret"
"""


@dataclass
class Place:
    """Where the tests of a module take place: how to open the SDK, and the provider behind it."""

    provider: FakeProvider
    direct: dict[str, Any]
    http: dict[str, Any]
    http_for_all: dict[str, Any]

    def fields(self, **more: Any) -> dict[str, Any]:
        """Returns what an application knows after an OAuth dance with a new account."""
        grant = self.provider.admin.create_grants(1)[0]
        return {
            "organization_id": "org",
            "provider": "acme",
            "external_id": grant.external_id,
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires_in": 3600,
            **more,
        }

    def requests(self) -> int:
        """How many refreshes the provider was asked for so far."""
        return self.provider.admin.summary().requests


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """A provider that rotates strictly."""
    with FakeProvider() as running:
        yield running


@pytest.fixture(scope="module")
def place(
    provider: FakeProvider, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A database with the provider's app, and an API in front of it."""
    file: Path = tmp_path_factory.mktemp("sdk") / "providers.toml"
    file.write_text(PROVIDERS.format(url=provider.url))
    port = free_port()
    direct: dict[str, Any] = {
        "database_url": module_database_url,
        "encryption_keys": new_key(),
        "providers_file": str(file),
        "public_url": f"http://{LOOPBACK}:{port}",
        "connect_return_urls": [BACK],
    }
    behind = services.build(load(**direct))
    sync_apps(behind)
    with api.serving(behind, port) as url:
        bound, for_all = (api.new_key(behind, whose) for whose in ("org", None))
        ways = [{"api_url": url, "api_key": key} for key in (bound, for_all)]
        yield Place(provider, direct, *ways)
    behind.close()


@pytest.fixture(params=["direct", "http"])
def way(request: pytest.FixtureRequest, place: Place) -> dict[str, Any]:
    """How the SDK is opened: straight on the database, or over HTTP."""
    return place.direct if request.param == "direct" else place.http


@pytest.fixture
def refresher(way: dict[str, Any]) -> Iterator[Refresher]:
    """The SDK for threads, in both modes."""
    with Refresher(**way) as opened:
        yield opened


@pytest.fixture
def connected(place: Place) -> Iterator[Connection]:
    """A connection of an hour that the provider really granted."""
    with Refresher(**place.direct) as opened:
        yield opened.register(**place.fields())
