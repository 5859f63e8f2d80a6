"""A deployment as an operator has it: a web and a scheduler process, an API key, a providers file.

Servers that we did not write are entries of the file; how each tells whose account it is differs.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from refresher.connections import api_keys
from refresher.connections.oauth_apps import sync_apps
from refresher.rules.access import Actor, Scope
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.runtime.services import Services
from refresher.settings import load
from tests import loopback
from tests.ports import free_port
from tests.processes import AT_HOME, Spawner
from tests.waiting import wait_until

OIDC_PROVIDER = """
[providers.oidc]
title = "Acme Mail"
token_url = "<url>/token"
revocation_url = "<url>/token/revocation"
client_auth = "client_secret_basic"
rotation = "always"
authorize_url = "<url>/auth"
authorize_parameters = { prompt = "consent" }
default_scopes = ["openid", "offline_access"]

[providers.oidc.connect]
issuer = "<url>"
announces_iss = true
jwks_url = "<url>/jwks"
other_account = { prompt = "login consent" }
identity = { found_in = "id_token", paths = ["sub"], label_path = "sub" }
scope_words = { "read" = "read your mail" }

[apps.oidc]
client_id = "<client_id>"
client_secret = "<secret>"
"""
TOOLKIT = """
[providers.toolkit]
title = "Acme Files"
token_url = "<url>/o/token/"
revocation_url = "<url>/o/revoke_token/"
client_auth = "client_secret_basic"
rotation = "always"
authorize_url = "<url>/o/authorize/"
default_scopes = ["read"]

[providers.toolkit.connect]
scopes = ["openid"]
identity = { found_in = "userinfo", url = "<url>/o/userinfo/", paths = ["sub"] }

[apps.toolkit]
client_id = "<client_id>"
client_secret = "<secret>"
"""
FAKE = """
[providers.fake]
title = "Acme Calendar"
token_url = "<url>/token"
authorize_url = "<url>/authorize"
default_scopes = ["offline_access"]
rotation = "always"

[providers.fake.connect]
scopes = ["openid"]
issuer = "<url>"
announces_iss = true
jwks_url = "<url>/jwks"
identity = { found_in = "id_token", paths = ["sub"], label_path = "email" }
scope_words = { "calendars" = "read your calendars" }

[apps.fake]
client_id = "fake-client"
client_secret = "fake-secret"
"""
SHOP = r"""
[providers.shop]
title = "Acme Shop"
token_url = "<url>/token"
authorize_url = "<url>/authorize"
host_pattern = '[a-z]+\.shops\.example'
host_example = "acme.shops.example"
revocation_url = "https://{host}/revoke"
rotation = "always"

[providers.shop.connect]
host_from_callback = "shop"
callback_hmac = "hmac"
asks_host = true
identity = { found_in = "callback", paths = ["shop"] }

[apps.shop]
client_id = "fake-client"
client_secret = "fake-secret"
"""


def entry(text: str, server: Mapping[str, Any]) -> str:
    """Returns the text of an entry with what a server told of itself."""
    return re.sub(r"<(\w+)>", lambda found: str(server[found[1]]), text)


@dataclass
class Deployment:
    """Real processes on a database: `start()` runs them with a providers file."""

    spawn: Spawner
    database_url: str
    folder: Path
    given: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _encryption_key: str = field(default_factory=new_key)

    @property
    def url(self) -> str:
        """Its public address."""
        return self.given.get("REFRESHER_PUBLIC_URL", f"http://127.0.0.1:{self.port}")

    def callback(self, slug: str) -> str:
        """Returns the redirect URI that an app registers."""
        return f"{self.url}/connect/callback/{slug}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of both processes."""
        return {
            "DATABASE_URL": self.database_url,
            "REFRESHER_CONNECT_NAME": "Acme",
            "REFRESHER_DATA_DIRECTORY": str(self.folder),
            "REFRESHER_ENCRYPTION_KEYS": self._encryption_key,
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
            "REFRESHER_PROVIDERS_FILE": str(self.folder / "providers.toml"),
            "REFRESHER_PUBLIC_URL": self.url,
            **self.given,
        }

    def start(self, providers: str) -> None:
        """Writes the providers file, runs both processes, and waits until they serve."""
        (self.folder / "providers.toml").write_text(providers, encoding="utf-8")
        self.services = self._services()
        sync_apps(self.services)
        self.key = api_keys.create(
            self.services.database, name="application", scopes=frozenset(Scope),
            organization_id=None, by=Actor("cli:ann"),
        ).text.reveal()  # fmt: skip
        nowhere = {**self.environment, "PORT": "0"}  # several deployments may run beside each other
        self.scheduler = self.spawn("-m", "refresher.scheduler", env=nowhere)
        self.start_web()

    def start_web(self) -> None:
        """Runs a web process, and waits until it serves."""
        settings = {**self.environment, "PORT": str(self.port)}
        self.web = self.spawn("-m", "refresher.web", env=settings)
        wait_until(self._serves, reason=self.spawn.outputs)

    def kill_web(self) -> None:
        """Kills the web process with -9, and waits until its children have followed it."""
        self.web.kill()
        wait_until(lambda: not self._listens())

    def close(self) -> None:
        """Ends what runs in this process; the others end with their test."""
        self.services.close()

    def api(self, method: str, path: str, **more: Any) -> Any:
        """Asks the API; returns the document of a good answer."""
        answer = self.ask(method, path, **more)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Asks the API; returns the answer, whatever it is."""
        with loopback.client() as client:
            headers = {"Authorization": f"Bearer {more.pop('key', self.key)}"}
            where = f"http://127.0.0.1:{self.port}{path}"
            return client.request(method, where, headers=headers, **more)

    def session(self, provider: str = "oidc", **order: Any) -> Any:
        """Makes a connect session for Ann's account; returns what the application is told."""
        body = {"organization_id": "acme", "provider": provider, "for_whom": "Ann, of Acme"}
        if "connection_id" in order:
            body.clear()
        return self.api("POST", "/v1/connect/sessions", json={**body, **order})

    def status(self, session: Mapping[str, Any], wait_seconds: int = 0) -> Any:
        """Returns how a session stands."""
        wait = {"wait_seconds": wait_seconds} if wait_seconds else {}
        return self.api("GET", f"/v1/connect/sessions/{session['id']}", params=wait)

    def ended(self, session: Mapping[str, Any]) -> Any:
        """Waits until a session has ended; returns how it stands then."""
        wait_until(
            lambda: self.status(session, 5)["state"] == "ended",
            reason=lambda: f"{self.status(session)} {self.spawn.outputs()}",
        )
        return self.status(session)

    def token(self, connection_id: str | UUID) -> str:
        """Returns the access token, as an application is given it."""
        answer = self.api("GET", f"/v1/connections/{connection_id}/token")
        return str(answer["access_token"])

    def refreshes(self, connection_id: str | UUID) -> str:
        """Has a connection refreshed now; returns the new access token."""
        before = self.token(connection_id)
        path = f"/v1/connections/{connection_id}/refresh"
        answer = self.api("POST", path, json={"wait_seconds": 20})
        assert answer["outcome"] == "refreshed", answer
        assert self.token(connection_id) != before
        return self.token(connection_id)

    def run(self, statement: str, **values: object) -> list[Any]:
        """Runs SQL, for what only time or trouble would bring; returns the rows."""
        with self.services.database.transaction() as db:
            result = db.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def _services(self) -> Services:
        given: dict[str, Any] = {
            "database_url": self.database_url,
            "encryption_keys": self._encryption_key,
            "providers_file": self.folder / "providers.toml",
            "data_directory": self.folder,
            "allow_insecure_hosts": AT_HOME["REFRESHER_ALLOW_INSECURE_HOSTS"],
        }
        return wiring.build(load(**given))

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _serves(self) -> bool:
        try:
            return bool(loopback.get(f"http://127.0.0.1:{self.port}/health").json()["ok"])
        except httpx.TransportError:
            assert self.web.is_running(), self.web.output
            return False
