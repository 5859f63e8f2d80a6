"""A real refresher (`refresher up` on a PostgreSQL of its own), a provider, accounts to connect."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from refresher.client import Connection, Refresher
from refresher.devkit.oauth_server import FakeProvider, IssuedGrant
from tests.devkit.conftest import Up
from tests.devkit.postgres.kit import wait_for_clean_stop
from tests.guard import Guard
from tests.ports import LOOPBACK, free_port
from tests.processes import Process, Spawner

PROVIDERS = """
[providers.acme]
token_url = "{url}/token"
authorize_url = "{url}/authorize"
identity_url = "{url}/userinfo"
connect.identity = {{ found_in = "userinfo", paths = ["sub"] }}

[apps.acme]
client_id = "fake-client"
client_secret = "fake-secret"
"""


@dataclass
class House:
    """What runs, and how an example is told of it."""

    provider: FakeProvider
    spawn: Spawner
    environment: dict[str, str]
    beside: dict[str, str]
    """What programs are given that stand beside refresher, on its database."""
    ports: list[int]
    """Of applications to which people may return: each takes one."""

    def command(self, *words: str) -> dict[str, Any]:
        """Runs a command of refresher's, and returns what it printed."""
        ran = self.spawn("-m", "refresher", *words, "--json", env=self.beside)
        assert ran.wait() == 0, ran.output
        line = next(line for line in ran.output.splitlines() if line.startswith("{"))
        told: dict[str, Any] = json.loads(line)
        return told

    def run(self, *arguments: str, **more: str) -> Process:
        """Starts `python arguments…` with what an example needs to know."""
        return self.spawn(*arguments, env=self.environment | more)

    def grant(self, **order: Any) -> IssuedGrant:
        """Has a new account consent."""
        return self.provider.admin.create_grants(1, **order)[0]

    def connect(
        self, *, is_withdrawn: bool = False, **order: Any
    ) -> tuple[Connection, IssuedGrant]:
        """Registers a new account's connection; `is_withdrawn`: its consent has ended before that."""
        grant = self.grant(**order)
        if is_withdrawn:
            self.provider.admin.revoke(grant.external_id)
        with Refresher(
            api_url=self.environment["REFRESHER_API_URL"],
            api_key=self.environment["REFRESHER_API_KEY"],
        ) as refresher:
            made = refresher.register(
                organization_id="org-1",
                provider="acme",
                external_id=grant.external_id,
                access_token=grant.access_token,
                refresh_token=grant.refresh_token,
                expires_in=grant.expires_in,
            )
        return made, grant


@pytest.fixture(scope="module")
def house(guard: Guard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Runs for all examples."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="refresher-tests-"))
        data = Path(folder).resolve() / "data"
        stack.callback(wait_for_clean_stop, data / "postgres")
        provider = stack.enter_context(FakeProvider())
        spawn = Spawner(guard, tmp_path_factory.mktemp("house"))
        stack.callback(spawn.close)
        file = Path(folder) / "providers.toml"
        file.write_text(PROVIDERS.format(url=provider.url))
        ports = [free_port() for _ in range(3)]
        back = [f"http://{LOOPBACK}:{port}/connected" for port in ports]
        settings = {
            "REFRESHER_PROVIDERS_FILE": str(file),
            "REFRESHER_CONNECT_RETURN_URLS": ",".join(back),
        }
        up = Up(spawn, data, settings)
        up.process.wait_for('"environment_file"')
        running = House(provider, spawn, {}, up.environment, ports)
        scopes = ("--scope", "token", "--scope", "write", "--scope", "read", "--scope", "connect")
        key = running.command("keys", "create", "--name", "examples", *scopes)
        running.environment = {
            "REFRESHER_API_URL": up.told[0]["api"],
            "REFRESHER_API_KEY": key["key"],
            "PROFILE_URL": f"{provider.url}/resource",
        }
        yield running
