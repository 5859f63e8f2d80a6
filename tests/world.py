"""A small world for tests: real Postgres, a clock that stands still, a provider with a script.

`World` is the `Sandbox` of our own test kit; its sender answers from a script instead of the network,
and its tables may be asked in SQL.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from refresher.catalogue import Catalogue
from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SendLimits, Wire
from refresher.rules.connection import Secret
from refresher.rules.facts import Change
from refresher.rules.outcomes import Reply
from refresher.rules.providers import ClientAuth, Provider, Strategy
from refresher.rules.requests import TokenRequest
from refresher.runtime import services
from refresher.runtime.cipher import new_key
from refresher.runtime.limits import Pacer
from refresher.runtime.metrics import Meter
from refresher.settings import load
from refresher.store import oauth_apps
from refresher.testing.sandbox import START, Sandbox
from tests.refresh.pausing import hold

__all__ = ["START", "World", "granted", "refused"]
PROVIDERS = (
    Provider(
        "acme",
        "https://acme.example/token",
        client_auth=ClientAuth.BASIC,
        changes=(Change(date(2030, 2, 1), "its v1 ends", "https://acme.example/news"),),
    ),
    Provider(
        "paced",
        "https://paced.example/token",
        client_auth=ClientAuth.NONE,
        max_requests_per_second=10,
    ),
    Provider(
        "meta",
        "https://meta.example/refresh",
        strategy=Strategy.LONG_LIVED_EXCHANGE,
        grant_type="th_refresh_token",
        client_auth=ClientAuth.NONE,
    ),
)


class Script:
    """A sender that answers each request by a function, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[TokenRequest] = []
        self.answer: Callable[[TokenRequest], Reply] = self.rotate

    async def send(self, wire: Wire) -> Reply:
        """Returns the scripted reply."""
        assert wire.request is not None
        self.asked.append(wire.request)
        return self.answer(wire.request)

    async def close(self) -> None:
        """Has nothing to close."""

    def rotate(self, _request: TokenRequest) -> Reply:
        """Grants a fresh pair, numbered, for an hour."""
        n = len(self.asked)
        return granted(access_token=f"access-{n}", refresh_token=f"refresh-{n}", expires_in=3600)


def granted(**fields: object) -> Reply:
    """Returns a good answer with these fields."""
    return Reply(200, {}, json.dumps(fields).encode())


def refused(code: str, status: int = 400) -> Reply:
    """Returns an error answer."""
    return Reply(status, {}, json.dumps({"error": code}).encode())


class World(Sandbox):
    """The test kit's sandbox with a script for a provider, and with eyes for the tables."""

    def __init__(self, database_url: str, **settings: object) -> None:
        self.script = Script()
        given = {"database_url": database_url, "encryption_keys": new_key(), **settings}
        built = services.build(load(**given))
        known = Catalogue({p.name: p for p in PROVIDERS}, {})
        limits = built.settings
        super().__init__(
            replace(
                built,
                catalogue=known,
                exchange=Exchange(SendLimits(), self.script),
                meter=Meter(known.names, enabled=limits.metrics),
                pacer=Pacer(known, capacity=int(limits.max_leased * limits.provider_share)),
            )
        )
        with self.services.database.transaction() as db:
            secret = self.services.cipher.seal(
                Secret("app-secret"), oauth_apps.app_id("acme", "default"), "client_secret"
            )
            oauth_apps.put(db, "acme", "default", "app-id", secret)
            oauth_apps.put(db, "paced", "default", "app-id", None)

    def describe(self, name: str, **facts: object) -> None:
        """Gives a provider's entry other facts."""
        known = {one.name: one for one in self.services.catalogue.providers}
        known[name] = replace(known[name], **facts)  # type: ignore[arg-type]
        self.services = replace(self.services, catalogue=Catalogue(known, {}))

    def set_now(self, now: datetime) -> None:
        """Puts the database's clock."""
        self.clock.set(now)

    def pass_time(self, seconds: float) -> None:
        """Moves the database's clock on."""
        self.set_now(self.clock.now + timedelta(seconds=seconds))

    def connect(self, external_id: str = "c1", **fields: object) -> UUID:
        """Hands a connection in, by default one of an hour, and returns its id."""
        given = {
            "organization_id": "org",
            "provider": "acme",
            "external_id": external_id,
            "access_token": f"access-of-{external_id}",
            "refresh_token": f"refresh-of-{external_id}",
            "expires_in": 3600,
            **fields,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return self.take(given)

    def hold(self, scope: str, key: str, **given: Any) -> None:
        """Has a provider or an app left alone, as trouble would."""
        with self.services.database.transaction() as db:
            hold(db, scope, key, **given)

    def row(self, connection_id: UUID) -> Any:
        """Returns the schedule row and the connection's row in one."""
        return self.one(
            "select s.*, c.status, c.status_cause, c.credential_version, c.expires_at, "
            "c.grant_number from refresh_schedule s join connection c on c.id = s.connection_id "
            "where c.id = :id",
            id=connection_id,
        )

    def token(self, connection_id: UUID, column: str = "access_token") -> str | None:
        """Returns a stored token in the clear."""
        sql = f"select {column} as sealed from connection where id = :id"
        sealed = self.one(sql, id=connection_id).sealed
        return sealed and self.services.cipher.open(sealed, connection_id, column).reveal()

    def events(self, connection_id: UUID) -> list[str]:
        """Returns the kinds of a connection's events, the oldest first."""
        sql = "select kind from refresh_event where connection_id = :id order by id"
        return [row.kind for row in self.rows(sql, id=connection_id)]

    def one(self, sql: str, **values: object) -> Any:
        """Returns the one row of a query."""
        with self.services.database.transaction() as db:
            return db.execute(text(sql), values).one()

    def rows(self, sql: str, **values: object) -> Sequence[Any]:
        """Returns all rows of a query."""
        with self.services.database.transaction() as db:
            return db.execute(text(sql), values).all()

    def run(self, sql: str, **values: object) -> None:
        """Runs a statement."""
        with self.services.database.transaction() as db:
            db.execute(text(sql), values)
