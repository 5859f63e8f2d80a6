"""The commands of compose.yaml, with its environment, as its user, in rooms as narrow as it makes them.

No container engine is needed: `jail.py`. What differs is said where it is changed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from refresher.client import Connection, Refresher
from refresher.devkit.oauth_server import FakeProvider
from refresher.runtime.cipher import new_key
from tests.deploy import jail
from tests.deploy.files import (
    DEPLOY,
    PROCESSES,
    described,
    interpolated,
    services,
    variables_in,
)
from tests.ports import LOOPBACK, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
STATUS = "a-status-token-of-32-characters!"
STOPS_WITHIN_SECONDS = 40
PROVIDERS = """
[providers.acme]
token_url = "{url}/token"

[apps.acme]
client_id = "fake-client"
client_secret_env = "ACME_CLIENT_SECRET"
"""


@dataclass
class Deployment:
    """What compose.yaml describes, on this machine: each process has a port of its own."""

    folder: Path
    secrets: dict[str, str]
    """What a person fills in."""
    way: str = "compose"
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """What the process is given: by its file, and by the person."""
        written = described(self.way, name).environment
        known = {n: interpolated(value, self.secrets) for n, value in written.items()}
        known |= {n: value for n, value in self.secrets.items() if n not in known or not known[n]}
        # On this machine there are neither names of containers nor other machines, and one port each.
        known |= {n: self.secrets[n] for n in ("DATABASE_URL", "REDIS_URL")}
        known |= {"PORT": str(self.ports.setdefault(name, free_port()))}
        known |= {"REFRESHER_ALLOW_INSECURE_HOSTS": "loopback"}
        if "REFRESHER_ENCRYPTION_KEYS_FILE" in known:
            del known["REFRESHER_ENCRYPTION_KEYS"]
        return {n: jail.inside(value) for n, value in known.items() if n != "PATH"}

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Starts a process, or another command in its place."""
        words = list(command or described(self.way, name).command)
        words[0] = str(Path(sys.executable).with_name(words[0]))
        return jail.start(self.folder / "root", self.log(name), words, self.environment(name))

    def start_all(self) -> None:
        """Migrates, starts all, and waits until they are well."""
        assert self.start("migrate").wait(120) == 0, self.output("migrate")
        for name in PROCESSES:
            self.running[name] = self.start(name)
        for name in PROCESSES:
            wait_until(partial(self.is_healthy, name), 60, partial(self.output, name))

    def stop_all(self) -> None:
        """Asks each to stop, which it does in its time; nothing went wrong meanwhile."""
        for name in reversed(PROCESSES):
            self.running[name].terminate()
            assert self.running[name].wait(STOPS_WITHIN_SECONDS) == 0, self.output(name)
        said = "".join(self.output(name) for name in PROCESSES)
        for wrong in ("Traceback", "ead-only file system", "ermission denied"):
            assert wrong not in said, said
        data = self.folder / "root" / jail.DATA[1:]
        assert {path.name for path in data.iterdir()} <= {"high-water.json"}

    def command(self, *words: str) -> str:
        """`docker compose run --rm migrate WORDS…`: returns what it printed."""
        assert self.start("migrate", *words).wait(60) == 0, self.output("migrate")
        return self.output("migrate")

    def log(self, name: str) -> Path:
        """Where a service's output goes."""
        return self.folder / f"{name}.log"

    def output(self, name: str) -> str:
        """What a service has printed."""
        return self.log(name).read_text(errors="replace")

    def is_healthy(self, name: str) -> bool:
        """What the service's own health check says, with this machine's port."""
        assert self.running[name].poll() is None, self.output(name)
        _, program, *words = services()[name]["healthcheck"]["test"]
        assert program == "python"
        asked = [word.replace("8080", str(self.ports[name])) for word in words]
        return (
            subprocess.run([sys.executable, *asked], check=False, capture_output=True).returncode
            == 0
        )


@pytest.fixture
def deployment(
    tmp_path: Path, bare_database_url: str, redis_url: str, provider: FakeProvider
) -> Iterator[Deployment]:
    """Furnished, with an .env as env.example says; nothing runs yet."""
    if reason := jail.why_not():
        pytest.skip(reason)
    secrets = variables_in(DEPLOY / "env.example")
    secrets |= {"POSTGRES_PASSWORD": "pw", "REFRESHER_ENCRYPTION_KEYS": (key := new_key())}
    secrets |= {"DATABASE_URL": bare_database_url.replace("+psycopg", ""), "REDIS_URL": redis_url}
    secrets |= {"REFRESHER_STATUS_TOKEN": STATUS, "ACME_CLIENT_SECRET": "fake-secret"}
    jail.furnish(tmp_path / "root", PROVIDERS.format(url=provider.url), key)
    made = Deployment(tmp_path, secrets)
    yield made
    for process in made.running.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider that rotates strictly."""
    with FakeProvider() as running:
        yield running


def register(deployment: Deployment, provider: FakeProvider, key: str) -> Connection:
    """Hands a connection in by the web process; its token ends in two seconds."""
    grant = provider.admin.create_grants(1)[0]
    url = f"http://{LOOPBACK}:{deployment.ports['web']}"
    with Refresher(api_url=url, api_key=key) as refresher:
        return refresher.register(
            organization_id="org-1",
            provider="acme",
            external_id=grant.external_id,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            expires_in=2,
        )


def test_what_compose_describes_refreshes_tokens(
    deployment: Deployment, provider: FakeProvider
) -> None:
    """Migrated, all healthy, a token refreshed by the worker; asked to stop, each ends in its time."""
    deployment.start_all()
    scopes = ("--scope", "token", "--scope", "write", "--scope", "read")
    made = deployment.command("refresher", "keys", "create", "--name", "app", *scopes, "--json")
    key = json.loads(next(line for line in made.splitlines() if line.startswith("{")))["key"]
    connection = register(deployment, provider, key)
    wait_until(
        lambda: provider.admin.summary().requests > 0, 60, lambda: deployment.output("worker")
    )
    url = f"http://{LOOPBACK}:{deployment.ports['web']}"
    with Refresher(api_url=url, api_key=key) as refresher:
        wait_until(lambda: refresher.get(connection.id).credential_version > 1, 30)
        assert refresher.token(connection.id).access_token
    assert "\n0 wrong" in deployment.command("refresher", "doctor")
    metrics = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {STATUS}"})
    assert "refresher_" in metrics.text
    deployment.stop_all()


@pytest.mark.parametrize("way", ["kubernetes", "systemd"])
def test_the_other_ways_start_and_stop(deployment: Deployment, way: str) -> None:
    """With what their files say, each process is healthy, and ends in its time."""
    deployment.way = way
    deployment.start_all()
    deployment.stop_all()
