"""Real services on a test's own database, with a clock that stands still and a provider of its own.

Nothing is patched: the tables, the story and the HTTP exchange are the real ones. Made by the fixture
`refresher_sandbox`, or by hand from any `Services`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from refresher.connections import connect, registration
from refresher.connections.connect_orders import Order
from refresher.connections.oauth_apps import sync_apps
from refresher.devkit.browser import Browser
from refresher.devkit.oauth_server import FakeProvider
from refresher.refresh import dispatch, recovery
from refresher.refresh.steps import refresh
from refresher.rules.access import Actor
from refresher.rules.connection import Claim, Sealed, connection_id
from refresher.rules.registration import read
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.runtime.liveness import Watch
from refresher.runtime.services import Services
from refresher.settings import load
from refresher.store import sealed, standing
from refresher.store.session import Database
from refresher.store.standing import Snapshot
from refresher.store.sweep import Swept
from refresher.testing.history import EventRecorder
from refresher.testing.stepper import Stepper
from refresher.testing.visiting import PUBLIC_URL, Served

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class FrozenClock:
    """The time of one `Database` object, and of the fake provider beside it where there is one.

    Every comparison of times happens in Postgres (`refresher_now()`), so nothing else must be patched.
    Other processes, and other `Database` objects, keep the real time.
    """

    def __init__(
        self, database: Database, provider: FakeProvider | None = None, *, at: datetime = START
    ) -> None:
        self._database = database
        self._provider = provider
        self.set(at)

    @property
    def now(self) -> datetime:
        """The instant at which it stands, aware UTC."""
        now = self._database.simulated_now
        assert now is not None
        return now

    def set(self, now: datetime) -> None:
        """Puts it to an aware instant, and leaves the provider's clock as it is."""
        if now.tzinfo is None:
            raise ValueError("give an aware instant: datetime(..., tzinfo=UTC)")
        self._database.simulated_now = now

    def advance(self, seconds: float) -> None:
        """Lets so many seconds pass, for the database and for the provider's tokens."""
        if seconds < 0:
            raise ValueError(f"time goes forwards: {seconds:g} seconds were asked for")
        self.set(self.now + timedelta(seconds=seconds))
        if self._provider is not None:
            self._provider.admin.advance_clock(seconds)


PROVIDER, ORGANIZATION = "fake", "test"
TESTER = Actor("cli:test")
_PROVIDERS_FILE = """
[providers.{name}]
{fields}

[apps.{name}]
client_id = "fake-client"
client_secret = "fake-secret"
"""


def _providers_file(provider: FakeProvider) -> str:
    """Returns what teaches refresher this provider: all of the entry that it plays, with its URLs."""
    entry, url = provider.entry, provider.url
    fields: dict[str, Any] = (
        {"extends": entry.name, **provider.places}
        if entry
        else {
            "token_url": f"{url}/token",
            "client_auth": "basic",
            "authorize_url": f"{url}/authorize",
            "connect": {
                "issuer": url,
                "jwks_url": f"{url}/jwks",
                "scopes": ["openid"],
                "login_hint": "login_hint",
                "identity": {"found_in": ["id_token"], "paths": ["sub"], "label_path": "email"},
            },
        }
    )
    fields |= {"connect": provider.consent_places} if provider.consent_places else {}
    lines = "\n".join(f"{name} = {_toml(value)}" for name, value in fields.items())
    return _PROVIDERS_FILE.format(name=entry.name if entry else PROVIDER, fields=lines)


def _toml(value: object) -> str:
    """Returns a value as a providers file has it; texts are written in TOML as in JSON."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{json.dumps(name)} = {_toml(one)}" for name, one in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


class Sandbox:
    """Services, and short words for what tests do with them.

    `provider` is the fake provider that connections are granted by; `clock` is the database's (and the
    provider's); `recorder` tells the events since the sandbox was made.
    """

    def __init__(self, services: Services, provider: FakeProvider | None = None) -> None:
        self.services: Services = services
        self.provider = provider
        self.clock = FrozenClock(services.database, provider)
        self.recorder = EventRecorder(services.database)
        self._served: Served | None = None

    @classmethod
    def build(
        cls, database_url: str, provider: FakeProvider, folder: Path, **settings: object
    ) -> Sandbox:
        """Returns a sandbox on a migrated database; `settings` are refresher's, by their names.

        A provider that plays a built-in entry (`FakeProvider.of`) is connected to by its name.
        """
        file = folder / "providers.toml"
        file.write_text(_providers_file(provider), encoding="utf-8")
        given = {
            "database_url": database_url,
            "encryption_keys": new_key(),
            "providers_file": file,
            "data_directory": folder,
            "allow_insecure_hosts": "loopback",
            "public_url": PUBLIC_URL,
            "trusted_proxies": "127.0.0.1",
            **settings,
        }
        services = wiring.build(load(**given))
        sync_apps(services)
        return cls(services, provider)

    def close(self) -> None:
        """Gives back threads and connections."""
        if self._served is not None:
            self._served.close()
        self.services.close()

    def connect(self, external_id: str = "account-1", **fields: object) -> UUID:
        """Connects an account at the fake provider, as a user's consent does; returns its id.

        `fields` go over those of the import format: `expires_in=0` makes it due at once. The host of an
        entry that needs one is its example, unless they name another.
        """
        if self.provider is None:
            raise RuntimeError("this sandbox has no provider: hand one in, or use `take`")
        grant = self.provider.admin.grant_again([external_id])[0]
        entry = self.provider.entry
        host = {"host": entry.host_example} if entry and entry.host_example else {}
        return self.take(
            {
                "organization_id": ORGANIZATION,
                "provider": self._provider_name,
                "external_id": external_id,
                "access_token": grant.access_token,
                "refresh_token": grant.refresh_token,
                "expires_in": grant.expires_in,
                **host,
                **fields,
            }
        )

    def connect_url(self, external_id: str | None = None, **order: Any) -> str:
        """Returns a link by which a person connects an account, as an application asks for one.

        `order` are the fields of `Order`, such as `scopes=("read",)` or `return_url`.
        """
        given = {"organization_id": ORGANIZATION, "provider": self._provider_name, **order}
        made = connect.make(self.services, Order(external_id=external_id, **given), TESTER)
        return made.url

    def visitor(self, account: str = "ann") -> Browser:
        """Returns the browser of a person who is logged in as `account` at the fake provider."""
        if self._served is None:
            self._served = Served(self.services)
        browser = self._served.browser(self.services.settings.public_url or PUBLIC_URL)
        if self.provider is not None:
            browser.open(f"{self.provider.url}/login?account={quote(account)}")
        return browser

    @property
    def _provider_name(self) -> str:
        entry = self.provider.entry if self.provider else None
        return entry.name if entry else PROVIDER

    def take(self, given: dict[str, object]) -> UUID:
        """Takes one connection in the import format (docs/import.md); returns its id."""
        taken = registration.take(self.services, [read(given)])
        if taken.rejected:
            raise ValueError(next(iter(taken.rejected.values())))
        names = (str(given[n]) for n in ("organization_id", "provider", "external_id"))
        return connection_id(*names)

    def claim(self) -> list[Claim]:
        """Claims what is due, and hands it to nobody."""
        claims: list[Claim] = []
        dispatch.dispatch_due(
            self.services, lambda groups: claims.extend(c for g in groups for c in g)
        )
        return claims

    def tick(self) -> Counter[str]:
        """Claims what is due and refreshes it, as scheduler and worker do; returns how that ended."""
        return refresh(self.services, self.claim())

    def sweep(self) -> Swept:
        """Makes rows due again whose lease ended, or whose process died, without an outcome."""
        return recovery.sweep_stalled(self.services, Watch())

    def step(self, connection: UUID) -> Stepper:
        """Returns what advances a refresh step by step: `with sandbox.step(id) as step:`."""
        return Stepper(self.services, connection)

    def state(self, connection: UUID) -> Snapshot:
        """Returns what is stored of a connection and its schedule row, without its tokens."""
        with self.services.database.transaction() as db:
            found = standing.snapshot(db, connection)
        if found is None:
            raise LookupError(f"no connection {connection} has a schedule row of its own")
        return found

    def tokens(self, connection: UUID) -> tuple[str | None, str | None]:
        """Returns the stored access token and refresh token in the clear."""
        pair = next(p for p in sealed.stored_pairs(self.services.database) if p.id == connection)
        opened = self.services.cipher.open

        def clear(sealed: Sealed | None, column: str) -> str | None:
            return None if sealed is None else opened(sealed, pair.id, column).reveal()

        return clear(pair.access_token, "access_token"), clear(pair.refresh_token, "refresh_token")
