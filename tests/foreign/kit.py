"""One deployment of refresher, and the steps that every entry goes through with a foreign server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from refresher.connections.oauth_apps import sync_apps
from refresher.connections.revocation import Revoked, revoke
from refresher.refresh.on_demand import OnDemand
from refresher.runtime import services as wiring
from refresher.runtime.cipher import new_key
from refresher.settings import load
from refresher.testing.sandbox import Sandbox
from tests import loopback
from tests.foreign.programs import FETCHED
from tests.postgres_versions import COMPLETE

needs_node = pytest.mark.skipif(
    not FETCHED.exists() and COMPLETE not in os.environ,
    reason="needs OAuth servers out of npm: `make foreign` fetches them",
)
IsAlive = Callable[[str], bool]
SECRET = 'client_secret = "<secret>"'


def asking(url: str, auth: tuple[str, str], **how: Any) -> IsAlive:
    """Returns what asks a server whether a token is alive (RFC 7662)."""
    return lambda token: bool(
        loopback.post(url, data={"token": token}, auth=auth, **how).json()["active"]
    )


def providers_file(server: Mapping[str, Any], entries: Mapping[str, tuple[str, str]]) -> str:
    """Returns the text of a providers file: of each entry its lines, and those of its app.

    `<url>` and other names in brackets are the server's; an app's id is the entry's name, unless given.
    """
    text = ""
    for name, (entry, app) in entries.items():
        id_ = "" if "client_id" in app else f'client_id = "{name}"\n'
        text += f"[providers.{name}]\n{entry}\n\n[apps.{name}]\n{id_}{app}\n\n"
    return re.sub(r"<(\w+)>", lambda found: str(server[found[1]]), text)


class Deployment(Sandbox):
    """The test kit's sandbox with the real clock, for so have the servers that it speaks with."""

    def __init__(self, database_url: str, folder: Path, providers: str) -> None:
        file = folder / "providers.toml"
        file.write_text(providers, encoding="utf-8")
        given = {"database_url": database_url, "encryption_keys": new_key()}
        services = wiring.build(load(**given, providers_file=file, data_directory=folder))
        sync_apps(services)
        super().__init__(services)
        services.database.simulated_now = None
        self._on_demand = OnDemand(services)

    def close(self) -> None:
        """Gives back threads and connections."""
        self._on_demand.close()
        super().close()

    def register(self, provider: str, external_id: str = "ann", **fields: object) -> UUID:
        """Registers what a consent brought; without more, it is due at once."""
        named = {"organization_id": "org", "provider": provider, "external_id": external_id}
        return self.take({**named, **({} if "answer" in fields else {"expires_in": 0}), **fields})

    def refresh_now(self, connection: UUID) -> str:
        """Refreshes it whatever its life; returns how that ended."""
        return self._on_demand.refresh_now(connection, wait_seconds=20).outcome

    def access_token(self, connection: UUID) -> str:
        """Returns the stored access token."""
        token, _ = self.tokens(connection)
        assert token is not None
        return token

    def assert_refreshes(
        self, connection: UUID, is_alive: IsAlive, *, rotates: bool | None = True
    ) -> None:
        """Has a pair that is due refreshed, then once more; the server takes each new token.

        `rotates` tells whether the second refresh brought another refresh token; None: there is none.
        """
        assert self.tick()["refreshed"] == 1, self.state(connection)
        first, spent = self.tokens(connection)
        assert first is not None
        assert is_alive(first)
        assert self.refresh_now(connection) == "refreshed"
        second, kept = self.tokens(connection)
        assert second not in {None, first}
        assert is_alive(self.access_token(connection))
        assert rotates is None or (kept != spent) == rotates

    def assert_ends_when_revoked(
        self, connection: UUID, is_alive: IsAlive, *, rotates: bool = True
    ) -> None:
        """Gives the grant back as the entry says; the next refresh is told that it is dead."""
        revocation = revoke(self.services, connection, None)
        assert revocation.outcome is Revoked.REVOKED, revocation
        assert not is_alive(self.access_token(connection))
        self.assert_is_dead(connection, rotates=rotates)

    def assert_is_dead(self, connection: UUID, *, rotates: bool = True) -> None:
        """A refresh is told so, and the connection waits for its owner.

        Where nothing can be spent, the first such word is doubted, and we ask once more.
        """
        if not rotates:
            assert self.refresh_now(connection) == "transient"
        assert self.refresh_now(connection) == "revoked"
        assert self.state(connection).status == "reconnect_required"
