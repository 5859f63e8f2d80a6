"""A command line on a database, a key and a providers file of each test's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.devkit.oauth_server import FakeProvider
from refresher.runtime.cipher import new_key
from refresher.runtime.services import Services, build
from refresher.settings import load
from tests.cli.kit import Cli
from tests.guard import Guard
from tests.processes import AT_HOME, OURS

PROVIDERS = """
[providers.acme]
token_url = "{url}/token"
access_token_lifetime_seconds = 3600

[apps.acme]
client_id = "fake-client"
client_secret = "fake-secret"
"""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clears the machine's settings."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    for name, value in AT_HOME.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bare(tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command line in an empty folder, with no settings at all."""
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path, guard.warm)


@pytest.fixture
def cli(bare: Cli, database_url: str) -> Cli:
    """A command line with a migrated database, a key, and the provider acme with its app."""
    providers = bare.folder / "providers.toml"
    providers.write_text(PROVIDERS.format(url="http://127.0.0.1:9"))
    bare.env |= {
        "DATABASE_URL": database_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_PROVIDERS_FILE": str(providers),
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
    }
    return bare


@pytest.fixture
def services(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Services on the command line's database, to put things into it."""
    for name, value in cli.env.items():
        monkeypatch.setenv(name, value)
    opened = build(load())
    yield opened
    opened.close()


@pytest.fixture
def provider(cli: Cli) -> Iterator[FakeProvider]:
    """A running provider that rotates strictly; acme of the command line's file is this one."""
    with FakeProvider() as running:
        Path(cli.env["REFRESHER_PROVIDERS_FILE"]).write_text(PROVIDERS.format(url=running.url))
        yield running


@pytest.fixture
def granted(cli: Cli, provider: FakeProvider) -> str:
    """The external id of an imported connection that acme really granted."""
    grant = provider.admin.create_grants(1, prefix="real-")[0]
    cli.connect(
        grant.external_id, access_token=grant.access_token, refresh_token=grant.refresh_token
    )
    return grant.external_id
