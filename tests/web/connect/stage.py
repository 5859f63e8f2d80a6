"""Our pages behind a proxy, a fake provider on another site, and people's browsers."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from refresher.connections import connect
from refresher.connections.connect_orders import Order
from refresher.connections.oauth_apps import sync_apps
from refresher.devkit.browser import Browser
from refresher.devkit.oauth_server import FakeProvider
from refresher.rules.access import Actor
from refresher.rules.connect import Finish, Session
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.runtime.serving.server import Serving
from refresher.runtime.serving.sockets import listen
from refresher.settings import load
from refresher.web.connect.app import ConnectPages
from tests import loopback
from tests.ports import free_port

ACTOR = Actor("cli:ann")
RETURN_URL = "https://app.example/settings"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ENTRY = """
[providers.fake]
title = "Fake"
token_url = "{url}/token"
client_auth = "basic"
authorize_url = "{far}/authorize"
default_scopes = ["openid", "read"]

[providers.fake.connect]
other_account = {{ prompt = "select_account" }}
scope_words = {{ "read" = "read your letters" }}

[providers.fake.connect.identity]
found_in = ["id_token", "userinfo"]
paths = ["sub"]
label_path = "email"
url = "{url}/userinfo"

[apps.fake]
client_id = "fake-client"
client_secret = "fake-secret"
"""


class Stage:
    """One web process with nothing but the pages, and what tests do with it."""

    def __init__(
        self, database_url: str, provider: FakeProvider, folder: Path, **settings: Any
    ) -> None:
        self.provider = provider
        self.url = "https://connect.example"
        self.here = f"http://127.0.0.1:{(port := free_port())}"
        self._people = 0
        far = provider.url.replace("127.0.0.1", "localhost")  # its own cookies, as browsers see it
        file = folder / "providers.toml"
        file.write_text(ENTRY.format(url=provider.url, far=far), encoding="utf-8")
        given: dict[str, Any] = {
            "database_url": database_url,
            "encryption_keys": new_key(),
            "providers_file": file,
            "data_directory": folder,
            "allow_insecure_hosts": "loopback",
            "public_url": self.url,
            "trusted_proxies": "127.0.0.0/8",
            "connect_name": "Acme",
            "connect_return_urls": RETURN_URL,
            **settings,
        }
        self.services = wiring.build(load(**given))
        sync_apps(self.services)
        self.pages = ConnectPages(self.services)
        sockets = listen("127.0.0.1", port)
        self._serving = Serving(self.pages, sockets, most=100, patience_seconds=30)

    @classmethod
    @contextmanager
    def opened(cls, database_url: str, folder: Path, **settings: Any) -> Iterator[Stage]:
        """Returns one that is closed at the end of the `with`."""
        with ExitStack() as stack:
            provider = stack.enter_context(FakeProvider())
            stage = cls(database_url, provider, folder, **settings)
            stack.callback(stage.close)
            yield stage

    def close(self) -> None:
        """Stops for good."""
        self.stop()
        self.pages.close()
        self.services.close()

    def stop(self) -> None:
        """Stops serving, as a process does that is asked to stop."""
        self._serving.stop()

    def link(self, **order: Any) -> tuple[Session, str]:
        """Returns a new session with its URL; `confirms` gives the application the last word."""
        if order.pop("confirms", False):
            order |= {"finish": Finish.APPLICATION, "finish_challenge": CHALLENGE}
            order |= {"return_url": RETURN_URL}
        usual = {"organization_id": "org-1", "provider": "fake", "for_whom": "Ann, of Acme"}
        made = connect.make(self.services, Order(**{**usual, **order}), ACTOR)
        return made.session, made.url

    def now(self, session: Session) -> Session:
        """Returns a session as it stands."""
        return connect.find(self.services, session.id, ACTOR)

    @property
    def sent_codes(self) -> int:
        """How many codes came to the token endpoint."""
        return self.provider.admin.summary().code_requests

    @contextmanager
    def browser(self, account: str = "ann") -> Iterator[Browser]:
        """Returns the browser of a person who is logged in at the provider, at an own address."""
        with Browser({self.url: self.here}, address=self.new_address()) as one:
            one.open(
                f"{self.provider.url.replace('127.0.0.1', 'localhost')}/login?account={account}"
            )
            yield one

    def ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Sends what no browser sends, from an own address."""
        headers = {"x-forwarded-for": self.new_address(), **given.pop("headers", {})}
        with loopback.client() as client:
            where = self.here + url.removeprefix(self.url)
            return client.request(method, where, headers=headers, **given)

    def new_address(self) -> str:
        """Returns an address from which nobody has come yet."""
        self._people += 1
        return f"203.0.{self._people // 250}.{self._people % 250}"
