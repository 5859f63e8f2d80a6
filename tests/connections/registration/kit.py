"""A token server on a real socket, a providers file that leads to it, and the services on Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from refresher.connections.oauth_apps import sync_apps
from refresher.refresh.on_demand import OnDemand
from refresher.rules.served import Served
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.settings import load
from refresher.testing.sandbox import Sandbox
from tests.outbound.servers import Peer, Received, Server, answer

PAIR = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600}
LINE = {
    "organization_id": "org",
    "provider": "acme",
    "external_id": "1042",
    "access_token": "access-1",
    "refresh_token": "refresh-1",
    "expires_in": 0,
}
"""A connection that is due at once."""
NAMES = {name: LINE[name] for name in ("organization_id", "provider", "external_id")}
FRESH = {
    **LINE,
    "expires_in": 3600,
    "scopes": ["mail"],
    "name": "Cyd",
    "metadata": {"plan": "gold"},
}
"""One of an hour."""
ENTRY = 'token_url = "{url}/token"\nsend_scope = true\nkeep_fields = ["instance_url"]'
Opened = Callable[..., "Place"]
Over = Callable[["Place", dict[str, Any]], str | None]
"""Hands a line in; returns the refusal's sentence, None when it is taken."""
APP = """
[apps.acme]
client_id = "app-id"
client_secret = "app-secret"
"""


class TokenServer:
    """Answers each request with what `reply` makes of it: a status and a JSON body."""

    def __init__(self) -> None:
        self.reply: Callable[[Received], tuple[int, object]] = lambda _: (200, PAIR)
        self._server = Server(self._handle)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url("")

    @property
    def port(self) -> int:
        """The port alone."""
        return self._server.port

    @property
    def asked(self) -> list[Received]:
        """The requests so far."""
        return self._server.received

    def close(self) -> None:
        """Ends it."""
        self._server.close()

    async def _handle(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            status, body = self.reply(request)
            kind = "Content-Type: application/json"
            await peer.say(answer(json.dumps(body).encode(), f"{status} said", kind))


class Place(Sandbox):
    """The services of one test, its token server, and eyes for the tables."""

    def __init__(self, services: wiring.Services, server: TokenServer, env: dict[str, str]) -> None:
        super().__init__(services)
        self.server = server
        self.env = env
        self.on_demand = OnDemand(services, role="test")

    def hand_in(self, **fields: object) -> UUID:
        """Takes a connection that is due at once; a field of None is left out."""
        given = {**LINE, **fields}
        return self.take({name: value for name, value in given.items() if value is not None})

    def row(self, connection_id: UUID) -> Any:
        """Returns a connection with its schedule row."""
        with self.services.database.transaction() as db:
            statement = text(
                "select c.*, s.state, s.due_at, s.parked_reason, s.lease_token from connection c "
                "left join refresh_schedule s on s.connection_id = c.id where c.id = :id"
            )
            return db.execute(statement, {"id": connection_id}).one()

    def run(self, sql: str, **values: object) -> None:
        """Runs a statement."""
        with self.services.database.transaction() as db:
            db.execute(text(sql), values)

    def events(self, connection_id: UUID) -> list[str]:
        """Returns the kinds of a connection's events, the oldest first."""
        sql = "select kind from refresh_event where connection_id = :id order by id"
        with self.services.database.transaction() as db:
            return list(db.execute(text(sql), {"id": connection_id}).scalars())

    def pass_time(self, seconds: float) -> None:
        """Moves the database's clock on."""
        self.clock.set(self.clock.now + timedelta(seconds=seconds))

    def served(self, connection_id: UUID, min_ttl_seconds: float = 0.0) -> Served:
        """Returns the token as a caller gets it."""
        return self.on_demand.fresh_token(connection_id, min_ttl_seconds=min_ttl_seconds)

    def close(self) -> None:
        """Gives everything back."""
        self.on_demand.close()
        super().close()
        self.server.close()


@contextmanager
def place(database_url: str, folder: Path, entry: str, apps: str = APP) -> Iterator[Place]:
    """Opens services whose provider acme is `entry`; `{url}` and `{port}` in it are the server's."""
    server = TokenServer()
    file = folder / "providers.toml"
    told = entry.replace("{url}", server.url).replace("{port}", str(server.port))
    file.write_text(f"[providers.acme]\n{told}\n{apps}", encoding="utf-8")
    key = new_key()
    given = {"database_url": database_url, "encryption_keys": key, "providers_file": file}
    env = {
        "DATABASE_URL": database_url,
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_PROVIDERS_FILE": str(file),
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
    }
    services = wiring.build(load(**given, allow_insecure_hosts="loopback"))
    sync_apps(services)
    made = Place(services, server, env)
    try:
        yield made
    finally:
        made.close()


def kept(place: Place, id_: UUID) -> dict[str, Any]:
    """Returns all of a connection that an update without tokens may not change."""
    row = place.row(id_)._asdict()
    return {name: value for name, value in row.items() if name not in {"updated_at", "name"}}
