"""Where the TypeScript client is, and a refresher that runs, for its tests to talk to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from refresher.connections import api_keys
from refresher.connections.oauth_apps import sync_apps
from refresher.devkit.oauth_server import FakeProvider
from refresher.rules.access import Actor, Scope
from refresher.runtime import services
from refresher.runtime.cipher import new_key
from refresher.settings import load
from tests import loopback
from tests.client.conftest import BACK, PROVIDERS
from tests.ports import LOOPBACK, free_port
from tests.postgres_versions import COMPLETE
from tests.processes import OURS, Spawner
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
CLIENT = ROOT / "clients" / "typescript"
FETCHED = CLIENT / "node_modules" / ".fetched"
needs_npm = pytest.mark.skipif(
    not FETCHED.exists() and COMPLETE not in os.environ,
    reason="needs the TypeScript compiler out of npm: `make typescript` fetches it",
)


def run(*command: str, env: Mapping[str, str] | None = None, cwd: Path = CLIENT) -> str:
    """Runs a command of Node.js and returns what it printed; fails with all of it."""
    assert FETCHED.exists(), "the TypeScript compiler is not there: `make typescript`"
    machine = {n: v for n, v in os.environ.items() if not n.startswith((*OURS, "NODE_"))}
    ended = subprocess.run(
        command, cwd=cwd, env=machine | dict(env or {}), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{ended.stdout[-8_000:]}\n{ended.stderr[-4_000:]}"
    return ended.stdout


def deployment(
    spawn: Spawner, provider: FakeProvider, database_url: str, folder: Path
) -> dict[str, str]:
    """Starts a scheduler and a web process; returns what an application knows of them."""
    file = folder / "providers.toml"
    file.write_text(PROVIDERS.format(url=provider.url), encoding="utf-8")
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    given = {
        "database_url": database_url,
        "encryption_keys": new_key(),
        "providers_file": str(file),
        "public_url": url,
        "connect_return_urls": BACK,
    }
    names = {f"REFRESHER_{name.upper()}": text for name, text in given.items()}
    names["DATABASE_URL"] = names.pop("REFRESHER_DATABASE_URL")
    names["REFRESHER_INTEGRATION_REFRESH__TRANSPORT"] = "in_process"
    for module, its_port in {"refresher.scheduler": free_port(), "refresher.web": port}.items():
        spawn("-m", module, env={**names, "PORT": str(its_port)})
    with closing(services.build(load(**{**given, "connect_return_urls": [BACK]}))) as built:
        sync_apps(built)
        keys = {name: _key(built, name) for name in ("org", None)}
    wait_until(lambda: _answers(url), 60, spawn.outputs)
    return {
        "REFRESHER_API_URL": url,
        "REFRESHER_API_KEY": keys["org"],
        "TEST_ADMIN_KEY": keys[None],
        "TEST_PROVIDER_URL": provider.url,
        "TEST_RETURN_URL": BACK,
    }


def _key(built: services.Services, organization: str | None) -> str:
    made = api_keys.create(
        built.database,
        name="typescript",
        scopes=frozenset(Scope),
        organization_id=organization,
        by=Actor("cli:ann"),
    )
    return made.text.reveal()


def _answers(url: str) -> bool:
    try:
        return loopback.get(f"{url}/health").status_code == 200
    except httpx.HTTPError:
        return False
