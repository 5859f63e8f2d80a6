"""A world whose providers are one server on loopback that says exact bytes, by the path asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from refresher.catalogue import Catalogue
from refresher.catalogue.loader import load
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SenderName, SendLimits
from refresher.store import oauth_apps
from tests.outbound.servers import Peer, Server
from tests.world import World

Play = Callable[[Mapping[str, tuple[bytes, str]]], dict[str, UUID]]


class Stage:
    """A server that answers `/name` with the bytes of that name, and hangs up."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.said: dict[str, bytes] = {}
        self.server = Server(self._answer)
        self._file = folder / "providers.toml"
        self._lines: dict[str, str] = {}

    def play(self, cases: Mapping[str, tuple[bytes, str]]) -> dict[str, UUID]:
        """Connects one account for each case: what its server says, and the lines of its entry."""
        for name, (said, lines) in cases.items():
            self.said[name] = said
            self._lines[name] = lines
        self.reload()
        with self.world.services.database.transaction() as db:
            for name in cases:
                oauth_apps.put(db, name, "default", "app-id", None)
        return {
            name: self.world.connect(
                name, provider=name, expires_in=0, refresh_token_expires_in=900
            )
            for name in cases
        }

    def describe(self, name: str, lines: str) -> None:
        """Gives a provider's entry other lines."""
        self._lines[name] = lines
        self.reload()

    def reload(self) -> None:
        """Reads the providers file as a restart would."""
        self._file.write_text("\n".join(self._entry(name) for name in self._lines))
        services = self.world.services
        self.world.services = replace(services, catalogue=self._load())

    def asked(self, name: str) -> list[str]:
        """Returns the refresh tokens that were presented for a case, in order."""
        found = [r for r in self.server.received if r.target == f"/{name}"]
        return [r.form["refresh_token"] for r in found]

    def _load(self) -> Catalogue:
        return load(self._file, allow_loopback=True)

    def _entry(self, name: str) -> str:
        lines = self._lines[name]
        rotation = "" if "rotation" in lines else 'rotation = "always"\n'
        url = self.server.url(f"/{name}")
        return f'[providers.{name}]\ntoken_url = "{url}"\nclient_auth = "post"\n{rotation}{lines}\n'

    async def _answer(self, peer: Peer) -> None:
        request = await peer.request()
        said = self.said[request.target.strip("/")]
        # Nobody may send a second request down a connection that is closed in a moment.
        await peer.say(said.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


@pytest.fixture(params=["httpx", "pyreqwest"])
def sender_name(request: pytest.FixtureRequest) -> SenderName:
    """Each sender in turn."""
    name: SenderName = request.param
    return name


@pytest.fixture
def stage(world: World, sender_name: SenderName, tmp_path: Path) -> Iterator[Stage]:
    """The world with this sender, and the server beside it."""
    with ExitStack() as stack:
        exchange = Exchange(SendLimits(), name=sender_name, egress=Egress(loopback=True))
        stack.callback(exchange.close)
        world.services = replace(world.services, exchange=exchange)
        made = Stage(world, tmp_path)
        stack.callback(made.server.close)
        yield made
